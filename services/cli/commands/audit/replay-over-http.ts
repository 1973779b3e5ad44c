import { setTimeout as sleep } from 'node:timers/promises';
import { replayMetaKey } from '../../../../shared/audit/meta.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { encodeHeaderValue, mcpHeader, nameMember } from '../../../../shared/mcp/mcp-headers.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { latestModern } from '../../../../shared/mcp/revisions.ts';
import { toolbusVersion } from '../../../../shared/version.ts';
import type { Answer } from '../../../audit/replay/compare.ts';
import type { RecordedCall } from '../../../audit/replay/recorded-call.ts';
import { createGateway, type Gateway } from '../../stdio/gateway.ts';
import { createParamHeaders } from '../../stdio/param-headers.ts';
import { readAnswer } from '../../stdio/read-answer.ts';
import { createReplayRetries } from './replay-retries.ts';
import { paramsOf, type ReplayTarget } from './replay-target.ts';

export interface HttpTargetOptions {
  /** `…/mcp` of another toolbus. */
  readonly url: URL;
  readonly key: string | undefined;
  readonly run: string;
  /** Recorded server → server that is asked. */
  readonly instead: Readonly<Record<string, string>>;
  /** Servers that will be asked. */
  readonly servers: Iterable<string>;
  readonly signal: AbortSignal;
}

const mostPages = 1_000;

/**
 * Another toolbus, asked at `URL/SERVER` in the revision 2026-07-28, with the agent's rights of the key. A server that it does not know gets no
 * calls. Throws an OperatorError (exit 3 or 4) when it does not let us in or cannot be reached.
 */
export async function replayOverHttp(options: HttpTargetOptions): Promise<ReplayTarget> {
  const { url, key, run, instead, signal } = options;
  const doors = new Map<string, Door>();
  for (const server of options.servers) {
    const door = await openDoor(new URL(`${url.pathname.replace(/\/$/, '')}/${server}`, url), key);
    if (door !== undefined) doors.set(server, door);
  }

  const retries = createReplayRetries();

  async function issue(call: RecordedCall, server: string): Promise<Answer> {
    const door = doors.get(server);
    if (door === undefined) return { kind: 'failed', reason: 'unknown server' };
    const params = paramsOf(call, { [replayMetaKey]: { run, of: call.call } });
    for (let tries = 1; ; tries += 1) {
      const said = await door.ask(call.method, params);
      const refusal = refusalOf(said);
      if (refusal === undefined && said.message !== undefined) retries.taken(server);
      const pauseMs = refusal === undefined ? undefined : retries.pause(server, refusal, tries, said.retryAfterMs);
      if (pauseMs === undefined || signal.aborted) return answerOf(said);
      await sleep(pauseMs);
    }
  }

  return {
    name: `${url.origin}${url.pathname}`,
    serverFor(server) {
      const wanted = Object.hasOwn(instead, server) ? (instead[server] ?? server) : server;
      return doors.has(wanted) ? wanted : undefined;
    },
    tool: (server, tool) => doors.get(server)?.tools.get(tool),
    tools: (server) => [...(doors.get(server)?.tools.values() ?? [])],
    issue,
    async close() {
      for (const door of doors.values()) door.close();
    },
  };
}

/** `/mcp/SERVER` of the other toolbus, with what it offers there. */
interface Door {
  readonly tools: ReadonlyMap<string, JsonObject>;
  ask(method: string, params: JsonObject): Promise<Said>;
  close(): void;
}

interface Said {
  readonly status: number;
  readonly message: JsonObject | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The connection broke. */
  readonly lost?: string | undefined;
}

async function openDoor(url: URL, key: string | undefined): Promise<Door | undefined> {
  const gateway = createGateway(url);
  const paramHeaders = createParamHeaders();
  const tools = new Map<string, JsonObject>();
  const ask = (method: string, params: JsonObject) => post(gateway, key, method, params, paramHeaders);
  let cursor: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const said = await ask('tools/list', cursor === undefined ? {} : { cursor });
    if (said.lost !== undefined)
      throw new OperatorError(exitCode.unreachable, `cannot reach ${url.origin}: ${said.lost}`);
    if (said.status === 404) {
      gateway.close();
      return undefined;
    }
    if (said.status === 401 || said.status === 403) {
      throw new OperatorError(exitCode.unauthorized, `${url.origin} does not let this key in (HTTP ${said.status})`, {
        hint: 'set TOOLBUS_API_KEY to a key of that toolbus',
      });
    }
    const result = said.message?.['result'];
    if (!isJsonObject(result))
      throw new OperatorError(exitCode.unreachable, `${url.href} is no toolbus (HTTP ${said.status})`);
    paramHeaders.learn(JSON.stringify(said.message));
    for (const tool of Array.isArray(result['tools']) ? result['tools'] : []) {
      if (isJsonObject(tool) && typeof tool['name'] === 'string') tools.set(tool['name'], tool);
    }
    cursor = typeof result['nextCursor'] === 'string' ? result['nextCursor'] : undefined;
    if (cursor === undefined) break;
  }
  return { tools, ask, close: gateway.close };
}

async function post(
  gateway: Gateway,
  key: string | undefined,
  method: string,
  params: JsonObject,
  paramHeaders: ReturnType<typeof createParamHeaders>,
): Promise<Said> {
  const own = params['_meta'];
  const _meta = {
    ...(isJsonObject(own) && own),
    [metaKey.protocolVersion]: latestModern,
    [metaKey.clientCapabilities]: {},
    [metaKey.clientInfo]: { name: 'toolbus-replay', version: toolbusVersion() },
  };
  const member = nameMember(method);
  const name = member === undefined ? undefined : params[member];
  try {
    const response = await gateway.send({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        [mcpHeader.protocolVersion]: latestModern,
        [mcpHeader.method]: encodeHeaderValue(method),
        ...(typeof name === 'string' && { [mcpHeader.name]: encodeHeaderValue(name) }),
        ...(typeof name === 'string' && paramHeaders.of(name, params['arguments'])),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } })),
    });
    let last: JsonObject | undefined;
    await readAnswer(response, {
      onMessage(text) {
        const message = parse(text);
        if (message !== undefined && message['method'] === undefined) last = message;
      },
      onEventId: () => undefined,
      onRetry: () => undefined,
      drained: async () => undefined,
    });
    const seconds = Number(response.headers['retry-after']);
    return {
      status: response.status,
      message: last,
      ...(seconds >= 0 && { retryAfterMs: Math.min(60_000, Math.max(50, seconds * 1_000)) }),
    };
  } catch (error) {
    return { status: 0, message: undefined, lost: error instanceof Error ? error.message : String(error) };
  }
}

/** Why that toolbus, or a proxy before it, did not execute the call. Undefined when it did, or may have. */
function refusalOf({ status, message }: Said): string | undefined {
  if (message === undefined) return status === 429 || status === 503 ? 'overloaded' : undefined;
  const { error } = message;
  const data = isJsonObject(error) ? error['data'] : undefined;
  if (!isJsonObject(data) || data['executed'] !== 'no') return undefined;
  return typeof data['reason'] === 'string' ? data['reason'] : undefined;
}

function answerOf({ status, message, lost }: Said): Answer {
  if (message === undefined) return { kind: 'failed', reason: lost ?? `HTTP ${status}` };
  const { error, result } = message;
  if (isJsonObject(error)) {
    const data = error['data'];
    // An error of that toolbus itself says nothing of the server.
    if (isJsonObject(data) && typeof data['reason'] === 'string') return { kind: 'failed', reason: data['reason'] };
    return { kind: 'error', code: Number(error['code']), message: String(error['message']) };
  }
  if (!isJsonObject(result)) return { kind: 'failed', reason: `HTTP ${status}` };
  const { resultType, ...body } = result;
  if (resultType === 'input_required' || resultType === 'task') return { kind: 'other', outcome: resultType };
  // What that edge added comes off again, so that the digest is that of what the server said, if it said it as JSON.stringify does.
  const outcome = body['isError'] === true ? 'tool_error' : 'ok';
  return { kind: 'result', outcome, body: Buffer.from(JSON.stringify(body)) };
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
