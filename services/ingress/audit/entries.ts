import { replayMetaKey } from '../../../shared/audit/meta.ts';
import {
  type EventEntry,
  type EventName,
  type IntentEntry,
  type Outcome,
  type OutcomeEntry,
  type Recorded,
  type RecordedResult,
  type RefusalEntry,
  type Request,
  recordVersion,
} from '../../../shared/audit/record.ts';
import { type Executed, reasons } from '../../../shared/errors.ts';
import { createCallId } from '../../../shared/ids.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { isModernRevision } from '../../../shared/mcp/revisions.ts';
import { traceIdOf } from '../../../shared/mcp/trace-context.ts';
import type { AgentRequest, Endpoint } from '../request.ts';

/** Longest text of a field that comes from an agent: names that lead nowhere, methods, program names. */
const maxText = 256;

/** What the audit says of who asked, and how. */
export function requestFacts(request: AgentRequest): Omit<Request, 'method'> & { readonly method: string } {
  const { principal, agent } = request;
  const client = clientName(agent.clientInfo);
  const trace = traceId(request);
  const replay = replayOf(request.params);
  return {
    call: request.callId,
    agent: principal.id,
    auth: principal.method,
    address: request.clientAddress,
    era: isModernRevision(agent.protocolVersion) ? 'modern' : 'legacy',
    protocol: agent.protocolVersion,
    ...(request.session !== undefined && { session: request.session }),
    ...(client !== undefined && { client }),
    endpoint: endpointPath(request.endpoint),
    method: short(request.method),
    ...(trace !== undefined && { trace }),
    ...(replay !== undefined && { replay }),
  };
}

export interface IntentFacts {
  readonly call: Call;
  readonly catalog: string | undefined;
  readonly arguments: Recorded;
  readonly answers: Recorded | undefined;
}

export function intentEntry(request: AgentRequest, facts: IntentFacts): IntentEntry {
  const { call, catalog, answers } = facts;
  return {
    v: recordVersion,
    kind: 'intent',
    id: `${request.callId}.i`,
    time: new Date().toISOString(),
    ...requestFacts(request),
    server: call.server,
    ...targetOf(call),
    ...(catalog !== undefined && { catalog }),
    decision: 'allowed',
    arguments: facts.arguments,
    ...(answers !== undefined && { answers }),
  };
}

export interface OutcomeFacts {
  readonly outcome: Outcome;
  readonly executed: Executed;
  readonly instance?: string | undefined;
  readonly code?: number | undefined;
  readonly result?: RecordedResult | undefined;
  readonly totalMs: number;
  readonly upstreamMs: number;
  readonly auditMs: number;
}

export function outcomeEntry(agent: string, call: Call, facts: OutcomeFacts): OutcomeEntry {
  const { instance, code, result, totalMs, upstreamMs } = facts;
  return {
    v: recordVersion,
    kind: 'outcome',
    id: `${call.id}.o`,
    time: new Date().toISOString(),
    call: call.id,
    agent,
    method: short(call.method),
    server: call.server,
    ...targetOf(call),
    ...(instance !== undefined && instance !== '' && { instance }),
    outcome: facts.outcome,
    executed: facts.executed,
    ...(code !== undefined && { code }),
    ...(result !== undefined && { result }),
    timing: {
      total: micros(totalMs),
      upstream: micros(upstreamMs),
      gateway: micros(Math.max(0, totalMs - upstreamMs)),
      audit: micros(facts.auditMs),
    },
  };
}

/** Closes an intent that was recorded after its call had been refused for want of it. */
export function voidedEntry(intent: IntentEntry): OutcomeEntry {
  return {
    v: recordVersion,
    kind: 'outcome',
    id: `${intent.call}.o`,
    time: new Date().toISOString(),
    call: intent.call,
    agent: intent.agent,
    method: intent.method,
    server: intent.server,
    ...(intent.tool !== undefined && { tool: intent.tool }),
    ...(intent.target !== undefined && { target: intent.target }),
    outcome: 'audit_unavailable',
    executed: 'no',
    code: reasons.audit_unavailable.code,
    timing: { total: 0, upstream: 0, gateway: 0, audit: 0 },
  };
}

export interface RefusalFacts {
  readonly reason: string;
  readonly count: number;
  readonly code?: number | undefined;
  readonly arguments?: Recorded | undefined;
}

export function refusalEntry(request: AgentRequest, facts: RefusalFacts): RefusalEntry {
  const { reason, count, code } = facts;
  const { name, uri } = request.params;
  const asked = typeof name === 'string' ? name : typeof uri === 'string' ? uri : undefined;
  return {
    v: recordVersion,
    kind: 'refusal',
    id: `${request.callId}.r`,
    time: new Date().toISOString(),
    ...requestFacts(request),
    ...(asked !== undefined && { target: short(asked) }),
    decision: 'refused',
    reason: short(reason),
    executed: 'no',
    count,
    ...(code !== undefined && { code }),
    ...(facts.arguments !== undefined && { arguments: facts.arguments }),
  };
}

/** A refusal before anybody knows what was asked. */
export function doorEntry(address: string, reason: string, detail: string, code: number, count: number): RefusalEntry {
  return {
    v: recordVersion,
    kind: 'refusal',
    id: `${createCallId()}.d`,
    time: new Date().toISOString(),
    address,
    decision: 'refused',
    reason: short(reason),
    executed: 'no',
    count,
    code,
    detail: short(detail),
  };
}

export function eventEntry(event: EventName, detail: JsonObject, actor?: string): EventEntry {
  return {
    v: recordVersion,
    kind: 'event',
    id: `${createCallId()}.e`,
    time: new Date().toISOString(),
    event,
    ...(actor !== undefined && { actor }),
    detail,
  };
}

/** The part of the params that an auditor reads as arguments, and the answers to earlier questions. `_meta` is in neither. */
export function splitParams(method: string, params: JsonObject): { args: JsonValue; answers: JsonValue | undefined } {
  const { arguments: own, inputResponses: answers } = params;
  if (method === 'tools/call' || method === 'prompts/get') return { args: own ?? {}, answers };
  const {
    arguments: _own,
    inputResponses: _answers,
    requestState: _state,
    name: _name,
    uri: _uri,
    taskId: _task,
    _meta,
    ...rest
  } = params;
  return { args: own === undefined ? rest : { ...rest, arguments: own }, answers };
}

function targetOf({ method, target }: Call): { tool: string } | { target: string } | undefined {
  if (target === undefined) return undefined;
  return method === 'tools/call' ? { tool: target } : { target: short(target) };
}

function clientName(info: JsonObject | undefined): string | undefined {
  if (info === undefined || typeof info.name !== 'string') return undefined;
  return short(typeof info.version === 'string' ? `${info.name}/${info.version}` : info.name);
}

export function endpointPath(endpoint: Endpoint): string {
  return endpoint.kind === 'all' ? '/mcp' : `/mcp/${short(endpoint.name)}`;
}

/** The trace id of a well-formed W3C `traceparent`, from the header or from `_meta`; anything else is as if there were none. */
export function traceId({ headers, params }: Pick<AgentRequest, 'headers' | 'params'>): string | undefined {
  const meta = isJsonObject(params._meta) ? params._meta.traceparent : undefined;
  return traceIdOf(headers['traceparent'] ?? meta);
}

function replayOf(params: JsonObject): { run: string; of: string } | undefined {
  const mark = isJsonObject(params._meta) ? params._meta[replayMetaKey] : undefined;
  if (!isJsonObject(mark) || typeof mark.run !== 'string' || typeof mark.of !== 'string') return undefined;
  return { run: short(mark.run), of: short(mark.of) };
}

function short(text: string): string {
  return text.length <= maxText ? text : `${text.slice(0, maxText)}…`;
}

function micros(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
