import { sha256Hex } from '../../../shared/audit/digest.ts';
import type { Outcome, Recorded, RecordedResult } from '../../../shared/audit/record.ts';
import { recordValue, redact } from '../../../shared/audit/redact.ts';
import { type Executed, GatewayError } from '../../../shared/errors.ts';
import type { Call, Reply } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { Dispatch } from '../methods/dispatch.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import { intentEntry, outcomeEntry, splitParams } from './entries.ts';
import type { Refusals } from './refusals.ts';
import type { ToolRule } from './rules.ts';
import type { AuditWriter } from './writer.ts';

/** Answers a request by way of a `dispatch` that is recorded. */
export type Answering = (dispatch: Dispatch) => Promise<AgentReply>;

/**
 * Follows one request from its arrival to its answer: the intent is recorded beside the offer and before `go`, the outcome before the answer is
 * handed to the edge, a refusal where nothing was called.
 */
export type Follow = (request: AgentRequest, dispatch: Dispatch, answer: Answering) => Promise<AgentReply>;

export interface TrailOptions {
  readonly writer: AuditWriter;
  readonly refusals: Refusals;
  ruleOf(server: string, tool: string): ToolRule;
  /** Version of what a server offers now. */
  catalogVersion(server: string): string | undefined;
}

/** What became of the call of one request. */
interface Trace {
  readonly call: Call;
  readonly rule: ToolRule;
  intentAt: number;
  auditMs: number;
  /** Undefined: nothing is waited for. */
  intent: Promise<void> | undefined;
  intentFailed: boolean;
  hasOutcome: boolean;
  /** Where it was started. */
  startedAt: string | undefined;
  reply: Reply | undefined;
}

interface Ending {
  readonly outcome: Outcome;
  readonly executed: Executed;
  readonly code?: number;
  readonly upstreamMs: number;
}

export function createFollow({ writer, refusals, ruleOf, catalogVersion }: TrailOptions): Follow {
  return async (request, dispatch, answer) => {
    let trace: Trace | undefined;
    const recorded: Dispatch = async (call, options) => {
      const begun = begin(request, call);
      trace = begun;
      const { intent } = begun;
      const dispatched = dispatch(call, {
        ...options,
        ...(intent !== undefined && { beforeGo: intent }),
        onGo: (instance) => {
          begun.startedAt = instance;
        },
      });
      begun.reply = await (intent === undefined ? dispatched : untilRefused(dispatched, intent));
      return begun.reply;
    };
    let reply: AgentReply;
    try {
      reply = await answer(recorded);
    } catch (error) {
      if (trace === undefined) refuse(request, error);
      else await end(request, trace, endOfError(error, request, trace));
      throw error;
    }
    if (trace === undefined) refuseReply(request, reply);
    else await end(request, trace, endOfReply(reply));
    return reply;
  };

  function begin(request: AgentRequest, call: Call): Trace {
    const rule = ruleOf(call.server, call.target ?? call.method);
    const { args, answers } = splitParams(call.method, call.params);
    const trace: Trace = {
      call,
      rule,
      intentAt: performance.now(),
      auditMs: 0,
      intent: undefined,
      intentFailed: false,
      hasOutcome: false,
      startedAt: undefined,
      reply: undefined,
    };
    const entry = intentEntry(request, {
      call,
      catalog: catalogVersion(call.server),
      arguments: recordValue(args, rule.arguments),
      answers: answers === undefined ? undefined : recordValue(answers, rule.arguments),
    });
    trace.intent = writer
      .intent(entry, () => trace.hasOutcome)
      ?.then(
        () => {
          trace.auditMs = performance.now() - trace.intentAt;
        },
        (error: unknown) => {
          trace.intentFailed = true;
          throw error;
        },
      );
    // The call may end before anybody looks at it.
    trace.intent?.catch(() => undefined);
    return trace;
  }

  async function end(request: AgentRequest, trace: Trace, ending: Ending): Promise<void> {
    // No intent, so no call: what came too late of it is closed by the writer.
    if (trace.intentFailed && trace.startedAt === undefined) return;
    trace.hasOutcome = true;
    const { call, reply, rule } = trace;
    const { outcome, executed, code, upstreamMs } = ending;
    const entry = outcomeEntry(request.principal.id, call, {
      outcome,
      executed,
      code,
      instance: reply?.instance ?? trace.startedAt,
      result: reply?.kind === 'result' ? recordResult(reply.body, rule) : undefined,
      totalMs: performance.now() - request.receivedAt,
      upstreamMs,
      auditMs: trace.auditMs,
    });
    try {
      await writer.outcome(entry);
    } catch (error) {
      // Nothing ran: the agent's own error says more.
      if (executed !== 'no') throw error;
    }
  }

  function refuse(request: AgentRequest, error: unknown): void {
    if (error instanceof GatewayError) {
      refusals.ofRequest(request, error.reason, error.code, () => argumentsOf(request));
    } else if (!request.signal.aborted) {
      refusals.ofRequest(request, 'failed', rpcCode.internalError, () => argumentsOf(request));
    }
  }

  function refuseReply(request: AgentRequest, reply: AgentReply): void {
    if (reply.kind === 'error') {
      refusals.ofRequest(request, reply.refused ?? 'invalid_params', reply.error.code, () => argumentsOf(request));
    } else if (reply.isError === true) {
      refusals.ofRequest(request, 'invalid_arguments', undefined, () => argumentsOf(request));
    }
  }

  function argumentsOf({ method, params }: AgentRequest): Recorded | undefined {
    const { name } = params;
    const { args } = splitParams(method, params);
    // The agent's name of a tool is how a pattern of the rules spells it.
    const [server = '', ...tool] = typeof name === 'string' ? name.split('__') : [method];
    return recordValue(args, ruleOf(server, tool.join('__')).arguments);
  }
}

/** The reply; or how the intent failed, for which the call need not have found a worker yet. */
function untilRefused(dispatched: Promise<Reply>, intent: Promise<void>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    intent.catch(reject);
    dispatched.then(resolve, reject);
  });
}

function endOfReply(reply: AgentReply): Ending {
  const upstreamMs = reply.timing?.upstreamMs ?? 0;
  // The server had the request: what it did before it said no is its own.
  if (reply.kind === 'error') return { outcome: 'rpc_error', executed: 'unknown', code: reply.error.code, upstreamMs };
  return { outcome: outcomeOf(reply.resultType, reply.isError === true), executed: 'yes', upstreamMs };
}

function outcomeOf(resultType: string, isError: boolean): Outcome {
  if (isError) return 'tool_error';
  return resultType === 'input_required' || resultType === 'task' ? resultType : 'ok';
}

function endOfError(error: unknown, { signal }: AgentRequest, trace: Trace): Ending {
  if (error instanceof GatewayError) {
    return { outcome: error.reason, executed: error.executed, code: error.code, upstreamMs: error.upstreamMs };
  }
  const executed = trace.startedAt === undefined ? 'no' : 'unknown';
  if (signal.aborted) return { outcome: 'cancelled', executed, upstreamMs: 0 };
  return { outcome: 'failed', executed, code: rpcCode.internalError, upstreamMs: 0 };
}

function recordResult(body: Uint8Array, { results, isSecret, inlineBytes }: ToolRule): RecordedResult {
  const bytes = body.length;
  if (results === 'none') return { bytes };
  const sha256 = sha256Hex(body);
  if (results === 'digest' || bytes > inlineBytes) return { bytes, sha256 };
  const value = parse(body);
  if (value === undefined) return { bytes, sha256 };
  const redacted: string[] = [];
  const kept = redact(value, isSecret, redacted);
  return { bytes, sha256, value: kept, ...(redacted.length > 0 && { redacted }) };
}

function parse(body: Uint8Array): JsonValue | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
