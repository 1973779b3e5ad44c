import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { goesOn, isTraceMember, withCheckedTrace, withCheckedTraceIn } from '../../../../shared/mcp/trace-context.ts';

const edgeKeys: readonly string[] = [
  metaKey.progressToken,
  metaKey.protocolVersion,
  metaKey.clientCapabilities,
  metaKey.clientInfo,
  metaKey.logLevel,
];

const nothing: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** The headers of an agent that travel with its call: `Mcp-Param-*` and trace context. */
export function forwardedHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  // Most calls have none.
  let forwarded: Record<string, string> | undefined;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    const passes = isTraceMember(name) ? goesOn(name, value, headers['traceparent']) : name.startsWith('mcp-param-');
    if (!passes) continue;
    forwarded ??= Object.create(null) as Record<string, string>;
    forwarded[name] = value;
  }
  return forwarded ?? nothing;
}

/** Params without what belongs to this connection alone, and the agent's own progress token. */
export function callParams(params: JsonObject): { params: JsonObject; progressToken: string | number | undefined } {
  const meta = params['_meta'];
  if (!isJsonObject(meta)) return { params, progressToken: undefined };
  const token = meta[metaKey.progressToken];
  const progressToken = typeof token === 'string' || typeof token === 'number' ? token : undefined;
  if (!edgeKeys.some((key) => Object.hasOwn(meta, key))) return { params: withCheckedTraceIn(params), progressToken };
  const { _meta, ...bare } = params;
  const rest = Object.entries(withCheckedTrace(meta)).filter(([key]) => !edgeKeys.includes(key));
  if (rest.length > 0) bare['_meta'] = Object.fromEntries(rest);
  return { params: bare, progressToken };
}
