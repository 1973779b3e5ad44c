import { isJsonObject, type JsonObject } from './json.ts';

/**
 * W3C trace context of an agent, in headers or in `_meta`. It goes on only where it is well-formed, so that nobody can plant text in the traces of
 * others; baggage, which says whatever its sender likes, goes no further.
 */

const traceParent =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x20-\x7e]{0,64})?$/;
/** At least 512 characters must be passed on (W3C Trace Context, 3.3.1.1). */
const traceState = /^[\t\x20-\x7e]{0,8192}$/;

/** The trace id of a well-formed `traceparent`; undefined for anything else. */
export function traceIdOf(text: unknown): string | undefined {
  return typeof text === 'string' ? traceParent.exec(text)?.[1] : undefined;
}

export function isTraceMember(name: string): boolean {
  return name === 'traceparent' || name === 'tracestate' || name === 'baggage';
}

/** Whether this header or member of `_meta` is passed on, next to that `traceparent`. `name` is one of `isTraceMember`. */
export function goesOn(name: string, value: unknown, parent: unknown): boolean {
  if (name === 'baggage' || traceIdOf(parent) === undefined) return false;
  return name === 'traceparent' || (typeof value === 'string' && traceState.test(value));
}

/** `_meta` as it is passed on: the same object where nothing has to go. */
export function withCheckedTrace(meta: JsonObject): JsonObject {
  if (meta['traceparent'] === undefined && meta['tracestate'] === undefined && meta['baggage'] === undefined)
    return meta;
  const parent = meta['traceparent'];
  return Object.fromEntries(
    Object.entries(meta).filter(([name, value]) => !isTraceMember(name) || goesOn(name, value, parent)),
  );
}

/** Params whose `_meta`, if any, went through `withCheckedTrace`. */
export function withCheckedTraceIn(params: JsonObject): JsonObject {
  const meta = params['_meta'];
  if (!isJsonObject(meta)) return params;
  const checked = withCheckedTrace(meta);
  return checked === meta ? params : { ...params, _meta: checked };
}
