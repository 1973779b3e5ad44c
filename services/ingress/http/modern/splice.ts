import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import type { AgentReply } from '../../request.ts';

const openBrace = 0x7b;
const closeBrace = 0x7d;

/** A response in pieces that follow one another; `body` is never copied or parsed. */
export interface Spliced {
  /** ASCII only. */
  readonly head: string;
  /** The members of the result object and its closing brace, or only that. */
  readonly body: Uint8Array;
}

/** The last byte of a response, after the result object. */
export const responseEnd = '}';

/**
 * The JSON-RPC response around a result: `resultType` and the cache hint are put before the members the result object already has.
 * A body without any member, or with blanks around, is taken as well.
 */
export function spliceResult(id: RequestId, reply: Extract<AgentReply, { kind: 'result' }>): Spliced {
  const bytes = typeof reply.body === 'string' ? Buffer.from(reply.body, 'utf8') : reply.body;
  let members = '';
  // Any other kind of result names itself in the body.
  if (reply.resultType === 'complete') members = '"resultType":"complete"';
  if (reply.cache !== undefined && reply.resultType === 'complete') {
    members += `,"ttlMs":${reply.cache.ttlMs},"cacheScope":"${reply.cache.scope}"`;
  }
  const first = afterBlanks(bytes, bytes.indexOf(openBrace) + 1);
  const separator = members === '' || bytes[first] === closeBrace ? '' : ',';
  const head = `{"jsonrpc":"2.0","id":${asciiJson(id)},"result":{${members}${separator}`;
  return { head, body: bytes.subarray(first) };
}

/** JSON text of an id in ASCII, so that it is the same bytes in every encoding it may be written with. */
export function asciiJson(id: RequestId): string {
  if (typeof id === 'number') return String(id);
  return JSON.stringify(id).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function afterBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at])
    at += 1;
  return at;
}
