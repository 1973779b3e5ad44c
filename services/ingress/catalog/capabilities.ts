import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint, Manifest } from '../../../shared/mcp/manifest.ts';

/**
 * What a view declares: the union over its servers, in the words of 2026-07-28. `list_changed` is ours to send, whether or not
 * an upstream has it. `tasks` of 2025-11-25 is another protocol than today's extension and is not declared.
 */
export function unionCapabilities(manifests: readonly Manifest[]): JsonObject {
  const declared = manifests.map(({ capabilities }) => (isJsonObject(capabilities) ? capabilities : {}));
  const has = (name: string) => declared.some((capabilities) => isJsonObject(capabilities[name]));
  const subscribe = declared.some(({ resources }) => isJsonObject(resources) && resources.subscribe === true);
  const extensions = union(declared.map((capabilities) => capabilities.extensions));
  const experimental = union(declared.map((capabilities) => capabilities.experimental));
  return {
    ...(has('tools') || manifests.length === 0 ? { tools: { listChanged: true } } : {}),
    ...(has('prompts') ? { prompts: { listChanged: true } } : {}),
    ...(has('resources') ? { resources: { listChanged: true, ...(subscribe ? { subscribe: true } : {}) } } : {}),
    ...(has('completions') ? { completions: {} } : {}),
    ...(has('logging') ? { logging: {} } : {}),
    ...(extensions ? { extensions } : {}),
    ...(experimental ? { experimental } : {}),
  };
}

/** Shortest time and narrowest scope of all. A server that says nothing may change at any moment and to anyone. */
export function mergeCacheHints(manifests: readonly Manifest[], differsByPrincipal: boolean): CacheHint {
  const hints = manifests.map(({ cache }) => cache);
  const ttls = hints.map((hint) => (Number.isSafeInteger(hint?.ttlMs) ? Math.max(0, hint?.ttlMs ?? 0) : 0));
  const isPublic = hints.length > 0 && hints.every((hint) => hint?.scope === 'public');
  return {
    ttlMs: ttls.length === 0 ? 0 : Math.min(...ttls),
    scope: isPublic && !differsByPrincipal ? 'public' : 'private',
  };
}

/** The first server to name an extension describes it. */
function union(parts: readonly (JsonObject[string] | undefined)[]): JsonObject | undefined {
  const merged = new Map<string, JsonObject[string]>();
  for (const part of parts) {
    if (!isJsonObject(part)) continue;
    for (const [name, value] of Object.entries(part)) if (!merged.has(name)) merged.set(name, value);
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged);
}
