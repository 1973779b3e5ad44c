import { isUtf8 } from 'node:buffer';
import type { JsonRpcResult } from '../../../shared/mcp/json-rpc.ts';
import { afterBlanks, visitMembers } from './json-members.ts';

const comma = 0x2c;
const openBrace = 0x7b;
const blank = 0x20;

/**
 * The JSON text of a response's result as the server wrote it, so that it need not be written again: a view of `bytes`, the text that
 * `message` was parsed from. `resultType` is taken out of it where it is `complete`, by blanks in `bytes` itself.
 *
 * Undefined where the text would not mean to everybody what it means to us: bytes that are no UTF-8, or a key of the response or of the
 * result that is written twice or with escapes. The result must be written anew then.
 */
export function resultText(bytes: Buffer, { result, ...others }: JsonRpcResult): Uint8Array | undefined {
  const start = afterBlanks(bytes, 0);
  if (bytes[start] !== openBrace || !isUtf8(bytes)) return undefined;
  let members = 0;
  let from = -1;
  let to = -1;
  visitMembers(bytes, start, (keyFrom, keyTo, valueFrom, valueTo) => {
    members += 1;
    if (!spells(bytes, keyFrom, keyTo, 'result')) return;
    from = valueFrom;
    to = valueTo;
  });
  if (from === -1 || members !== Object.keys(others).length + 1) return undefined;

  let inside = 0;
  let typeFrom = -1;
  let typeTo = -1;
  visitMembers(bytes, from, (keyFrom, keyTo, _valueFrom, valueTo) => {
    inside += 1;
    if (!spells(bytes, keyFrom, keyTo, 'resultType')) return;
    typeFrom = keyFrom - 1;
    typeTo = valueTo;
  });
  if (inside !== Object.keys(result).length) return undefined;
  if (result['resultType'] !== 'complete') return bytes.subarray(from, to);
  if (typeFrom === -1) return undefined;
  return bytes.subarray(blankOut(bytes, from, typeFrom, typeTo), to);
}

function spells(bytes: Buffer, from: number, to: number, name: string): boolean {
  return to - from === name.length && bytes.toString('latin1', from, to) === name;
}

/** Puts blanks over a member and one of its commas. Returns where the object begins then: behind the blanks, where it began with the member. */
function blankOut(bytes: Buffer, object: number, member: number, memberTo: number): number {
  const next = afterBlanks(bytes, memberTo);
  if (bytes[next] !== comma) {
    const before = bytes.lastIndexOf(comma, member);
    bytes.fill(blank, before > object ? before : member, memberTo);
    return object;
  }
  if (afterBlanks(bytes, object + 1) !== member) {
    bytes.fill(blank, member, next + 1);
    return object;
  }
  bytes[next] = openBrace;
  return next;
}
