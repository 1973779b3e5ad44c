import { isJsonObject, type JsonObject } from '../mcp/json.ts';

/** The JSON object that UTF-8 bytes hold; undefined for anything else. */
export function readJsonObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
