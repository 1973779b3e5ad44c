import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.ts';

/** Names of servers, sorted. */
export interface ServerChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** What a new configuration means for the servers that run. A disabled server counts as none. */
export function diffServers(before: Config, after: Config): ServerChanges {
  const old = running(before);
  const next = running(after);
  return {
    added: [...next.keys()].filter((name) => !old.has(name)).sort(),
    removed: [...old.keys()].filter((name) => !next.has(name)).sort(),
    changed: [...next.keys()]
      .filter((name) => old.has(name) && !isDeepStrictEqual(old.get(name), next.get(name)))
      .sort(),
  };
}

function running(config: Config): Map<string, unknown> {
  return new Map(Object.entries(config.servers).filter(([, server]) => !server.disabled));
}
