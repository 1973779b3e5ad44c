import { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { CacheHint } from '../../../shared/mcp/manifest.ts';
import { limits } from './limits.ts';
import type { Session } from './session.ts';

/** One list of a server: how to ask for it, where it stands in the answer, and what names an item. */
export interface ListSpec {
  readonly method: string;
  readonly member: string;
  readonly key: string;
}

export const toolsSpec: ListSpec = { method: 'tools/list', member: 'tools', key: 'name' };
export const promptsSpec: ListSpec = { method: 'prompts/list', member: 'prompts', key: 'name' };
export const resourcesSpec: ListSpec = { method: 'resources/list', member: 'resources', key: 'uri' };
export const templatesSpec: ListSpec = {
  method: 'resources/templates/list',
  member: 'resourceTemplates',
  key: 'uriTemplate',
};

export interface FetchedList {
  readonly items: readonly JsonObject[];
  readonly cache: CacheHint | undefined;
  /** Items left out: without a name, with the name of an earlier one, or beyond the limit. */
  readonly dropped: number;
}

/**
 * Every page of one list. Items keep whatever members they have. Rejects with a GatewayError when the server fails; a server that does not know
 * the method has an empty list.
 */
export async function fetchList(session: Session, spec: ListSpec): Promise<FetchedList> {
  const items = new Map<string, JsonObject>();
  const cursors = new Set<string>();
  let cache: CacheHint | undefined;
  let dropped = 0;
  let cursor: string | undefined;
  for (let page = 0; page < limits.listPages; page += 1) {
    const params: JsonObject = cursor === undefined ? {} : { cursor };
    const outcome = await session.request(spec.method, params, limits.listMs);
    if ('error' in outcome) {
      if (outcome.error.code === rpcCode.methodNotFound) break;
      throw new GatewayError('bad_upstream_output', `${spec.method} failed with error ${outcome.error.code}`);
    }
    const list = outcome.result[spec.member];
    if (!Array.isArray(list))
      throw new GatewayError('bad_upstream_output', `${spec.method} was answered without a list`);
    for (const item of list) {
      const name = isJsonObject(item) ? item[spec.key] : undefined;
      if (typeof name === 'string' && name !== '' && !items.has(name) && items.size < limits.listItems) {
        items.set(name, item as JsonObject);
      } else {
        dropped += 1;
      }
    }
    cache = mergeCache(cache, cacheOf(outcome.result));
    const next = outcome.result['nextCursor'];
    // A cursor that comes again would go round for ever; an empty string is a cursor like any other.
    if (typeof next !== 'string' || cursors.has(next) || items.size >= limits.listItems) break;
    cursors.add(next);
    cursor = next;
  }
  return { items: [...items.values()], cache, dropped };
}

/** The cache hint of a modern result; undefined where it has none. */
export function cacheOf(result: JsonObject): CacheHint | undefined {
  const { ttlMs, cacheScope } = result;
  if (typeof ttlMs !== 'number' || !(ttlMs >= 0) || (cacheScope !== 'public' && cacheScope !== 'private'))
    return undefined;
  return { ttlMs, scope: cacheScope };
}

/** What holds for both: the shorter time, private if either is. */
export function mergeCache(a: CacheHint | undefined, b: CacheHint | undefined): CacheHint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    ttlMs: Math.min(a.ttlMs, b.ttlMs),
    scope: a.scope === 'private' || b.scope === 'private' ? 'private' : 'public',
  };
}
