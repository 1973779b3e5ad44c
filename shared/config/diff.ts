import { isDeepStrictEqual } from 'node:util';
import type { Config, ServerConfig } from './schema.ts';

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
    changed: [...next.keys()].filter((name) => needsNewWorker(old.get(name), next.get(name))).sort(),
  };
}

/** What ingresses alone look at, and live: a worker that runs need not know. */
const ofIngresses = [
  'tools',
  'limits',
  'toolLimits',
  'rules',
  'pin',
  'validation',
  'shadow',
  'trustAnnotations',
] as const;

/** Whether a worker must be started anew to go from one configuration of its server to another. */
export function needsNewWorker(before: ServerConfig | undefined, after: ServerConfig | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  return !isDeepStrictEqual(forWorker(before), forWorker(after));
}

function forWorker(server: ServerConfig): object {
  return Object.fromEntries(
    Object.entries(server).filter(([key]) => !(ofIngresses as readonly string[]).includes(key)),
  );
}

function running(config: Config): Map<string, ServerConfig> {
  return new Map(Object.entries(config.servers).filter(([, server]) => !server.disabled));
}
