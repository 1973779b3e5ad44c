import type { AgentContext, LogLevel } from '../../../../shared/mcp/call.ts';
import { logLevels } from '../../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { withCheckedTrace } from '../../../../shared/mcp/trace-context.ts';
import { type Refusal, refusal } from './refusal.ts';

/** What a modern request says of itself in `params._meta` (specification 2026-07-28, basic/index, "_meta"). */
export interface Envelope {
  readonly agent: AgentContext;
  readonly progressToken: RequestId | undefined;
  /** The params without the envelope and the progress token. */
  readonly params: JsonObject;
}

const envelopeKeys: ReadonlySet<string> = new Set([
  metaKey.protocolVersion,
  metaKey.clientCapabilities,
  metaKey.clientInfo,
  metaKey.logLevel,
  metaKey.progressToken,
]);

/** Takes the envelope off a request's params; a refusal when a required member is missing or one has the wrong type. */
export function openEnvelope(params: JsonObject): Envelope | Refusal {
  const meta = params['_meta'];
  if (!isJsonObject(meta)) return bad('_meta', 'missing');
  const protocolVersion = meta[metaKey.protocolVersion];
  if (protocolVersion === undefined) return bad(metaKey.protocolVersion, 'missing');
  if (typeof protocolVersion !== 'string') return bad(metaKey.protocolVersion, 'expected a protocol version string');
  const capabilities = meta[metaKey.clientCapabilities];
  if (capabilities === undefined) return bad(metaKey.clientCapabilities, 'missing');
  if (!isJsonObject(capabilities)) return bad(metaKey.clientCapabilities, 'expected an object');
  const clientInfo = meta[metaKey.clientInfo];
  if (clientInfo !== undefined && !isJsonObject(clientInfo)) return bad(metaKey.clientInfo, 'expected an object');
  const logLevel = meta[metaKey.logLevel];
  if (logLevel !== undefined && !isLogLevel(logLevel)) return bad(metaKey.logLevel, 'expected a log level');
  const progressToken = meta[metaKey.progressToken];
  if (progressToken !== undefined && typeof progressToken !== 'string' && typeof progressToken !== 'number') {
    return bad(metaKey.progressToken, 'expected a string or a number');
  }
  return { agent: { protocolVersion, capabilities, clientInfo, logLevel }, progressToken, params: bare(params, meta) };
}

/** True when a log message of this level goes to an agent that asked for `wanted` or worse. */
export function isLogged(level: JsonValue | undefined, wanted: LogLevel | undefined): boolean {
  return wanted !== undefined && isLogLevel(level) && logLevels.indexOf(level) >= logLevels.indexOf(wanted);
}

function isLogLevel(value: JsonValue | undefined): value is LogLevel {
  return typeof value === 'string' && (logLevels as readonly string[]).includes(value);
}

function bare(params: JsonObject, meta: JsonObject): JsonObject {
  const rest: JsonObject = {};
  let kept = false;
  const checked = withCheckedTrace(meta);
  for (const key of Object.keys(checked)) {
    if (envelopeKeys.has(key)) continue;
    rest[key] = checked[key];
    kept = true;
  }
  const result: JsonObject = {};
  for (const key of Object.keys(params)) {
    if (key !== '_meta') result[key] = params[key];
    else if (kept) result[key] = rest;
  }
  return result;
}

function bad(key: string, problem: string): Refusal {
  const message = `Invalid params: the request's _meta envelope: ${key}: ${problem}`;
  return refusal(400, rpcCode.invalidParams, message, { envelope: { key, problem } });
}
