import { isJsonObject } from '../../../../shared/mcp/json.ts';

/**
 * True when the JSON text of a result may hold structured content that is no object, which before 2026-07-28 it has to be. A look at the text:
 * to parse every result would cost more than all the rest.
 */
export function mayNeedWrapping(body: string | Uint8Array): boolean {
  const text =
    typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  for (let at = text.indexOf(member); at !== -1; at = text.indexOf(member, at + 1)) {
    let next = at + member.length;
    while (spaces.includes(text[next] ?? 0)) next += 1;
    if (text[next] !== colon) continue;
    next += 1;
    while (spaces.includes(text[next] ?? 0)) next += 1;
    if (text[next] !== brace) return true;
  }
  return false;
}

const member = Buffer.from('"structuredContent"');
const spaces: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];
const colon = 0x3a;
const brace = 0x7b;

/** The same for a tool without a schema: only what is no object is wrapped. */
export function wrapOddOutput(body: string | Uint8Array): string | Uint8Array {
  const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  return isJsonObject(result) && !isJsonObject(result['structuredContent']) ? wrapOutput(body) : body;
}

/**
 * JSON text of a tool's result with its structured content wrapped as `{ result: … }`, as the schema is in the list that legacy
 * agents get; unchanged when it has none.
 */
export function wrapOutput(body: string | Uint8Array): string | Uint8Array {
  const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  if (!isJsonObject(result) || result['structuredContent'] === undefined) return body;
  return JSON.stringify({ ...result, structuredContent: { result: result['structuredContent'] } });
}
