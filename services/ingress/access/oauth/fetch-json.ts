import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';

const timeoutMs = 5_000;
const maxBytes = 1 << 20;

/**
 * GETs a JSON object: at most 1 MiB within 5 s, no redirect. Rejects with an Error whose message holds nothing of the answer.
 * For addresses of the configuration, and what their metadata names.
 */
export async function fetchJson(url: string): Promise<JsonObject> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`HTTP ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (size > maxBytes) throw new Error('the answer is larger than 1 MiB');
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Error('the answer is not JSON');
  }
  if (!isJsonObject(value)) throw new Error('the answer is not a JSON object');
  return value;
}
