import type { Call } from '../mcp/call.ts';
import { isJsonObject } from '../mcp/json.ts';
import type { Offer } from './frames.ts';
import { readJsonObject } from './json-bytes.ts';

/** The call that an offer is about; undefined for one that cannot be read. Params that come in parts are empty so far. */
export function readOffer(offer: Offer, body: Uint8Array): Call | undefined {
  const params = offer.parts === undefined ? readJsonObject(body) : {};
  const head: unknown = offer.call;
  if (params === undefined || !isJsonObject(head)) return undefined;
  const { id, server, method, timeoutMs, principal } = head;
  if (
    typeof id !== 'string' ||
    typeof server !== 'string' ||
    typeof method !== 'string' ||
    typeof timeoutMs !== 'number' ||
    !isJsonObject(principal) ||
    typeof principal['id'] !== 'string'
  ) {
    return undefined;
  }
  return { ...(offer.call as Omit<Call, 'params'>), params };
}
