import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import type { AgentReply } from '../../request.ts';
import { asciiJson, type Pieces } from '../answers.ts';

const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * The JSON-RPC response around a result: `resultType` and the cache hint are put before the members the result object already has.
 * A body without any member, or with blanks around, is taken as well.
 */
export function spliceResult(id: RequestId, reply: Extract<AgentReply, { kind: 'result' }>): Pieces {
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
  return { head, body: bytes.subarray(first), tail: '}' };
}

function afterBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at])
    at += 1;
  return at;
}
