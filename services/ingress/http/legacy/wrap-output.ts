import { isJsonObject } from '../../../../shared/mcp/json.ts';

/**
 * JSON text of a tool's result with its structured content wrapped as `{ result: … }`, as the schema is in the list that legacy
 * agents get; unchanged when it has none.
 */
export function wrapOutput(body: string | Uint8Array): string | Uint8Array {
  const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  if (!isJsonObject(result) || result['structuredContent'] === undefined) return body;
  return JSON.stringify({ ...result, structuredContent: { result: result['structuredContent'] } });
}
