import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { ResourceWatch } from '../edge.ts';

/** Tells each listener about the resources it follows, in its own URIs. */
export interface ResourceUpdates {
  /** `target` is the server's URI, `uri` the agent's. Returns the function that stops. */
  follow(server: string, target: string, uri: string, listener: (params: JsonObject) => void): () => void;
}

interface Follower {
  readonly uri: string;
  readonly listener: (params: JsonObject) => void;
}

/** One listener at the source for all agents, however many streams are open. */
export function createResourceUpdates(source: ResourceWatch): ResourceUpdates {
  const servers = new Map<string, Map<string, Set<Follower>>>();
  source.onUpdated((server, params) => {
    const updated = params['uri'];
    if (typeof updated !== 'string') return;
    for (const [target, followers] of servers.get(server) ?? []) {
      const inside = below(target, updated);
      if (inside === undefined) continue;
      for (const { uri, listener } of [...followers]) listener({ ...params, uri: uri + inside });
    }
  });

  return {
    follow(server, target, uri, listener) {
      const follower: Follower = { uri, listener };
      const targets = servers.get(server) ?? new Map<string, Set<Follower>>();
      const followers = targets.get(target) ?? new Set<Follower>();
      servers.set(server, targets);
      targets.set(target, followers);
      followers.add(follower);
      const release = source.watch(server, target);
      return () => {
        release();
        followers.delete(follower);
        if (followers.size === 0) targets.delete(target);
        if (targets.size === 0) servers.delete(server);
      };
    },
  };
}

/** What `updated` has beyond `target`: '' for the same URI, the rest for a part of it, undefined for anything else. */
function below(target: string, updated: string): string | undefined {
  if (updated === target) return '';
  const isPart = updated.startsWith(target.endsWith('/') ? target : `${target}/`);
  return isPart ? updated.slice(target.length) : undefined;
}
