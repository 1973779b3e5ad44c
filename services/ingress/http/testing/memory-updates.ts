import type { ResourceUpdate } from '../../../../shared/bus/resource-events.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { ResourceWatch } from '../edge.ts';

/** Resource updates that a test makes, in one order that several ingresses may share. */
export interface MemoryUpdates extends ResourceWatch {
  updated(server: string, params: JsonObject): void;
}

/** `watched` holds `server uri` of what is watched now. */
export function createMemoryUpdates(watched: Set<string>, log: ResourceUpdate[] = []): MemoryUpdates {
  const listeners = new Set<(update: ResourceUpdate) => void>();
  const counts = new Map<string, number>();
  const position = () => ({ epoch: 'test', seq: log.length });
  return {
    watch(server, uri) {
      const name = `${server} ${uri}`;
      watched.add(name);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      const release = () => {
        const left = (counts.get(name) ?? 0) - 1;
        counts.set(name, left);
        if (left === 0) watched.delete(name);
      };
      return { active: Promise.resolve(), release };
    },
    onUpdated(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    position,
    since: ({ epoch, seq }) => (epoch === 'test' ? log.slice(seq) : undefined),
    updated(server, params) {
      const update = { server, params, at: { epoch: 'test', seq: log.length + 1 } };
      log.push(update);
      for (const listener of [...listeners]) listener(update);
    },
  };
}
