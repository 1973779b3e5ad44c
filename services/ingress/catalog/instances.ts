import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';

/** The live worker processes, by server, as their heartbeats tell. */
export interface Instances {
  of(server: string): readonly InstanceStatus[];
  /** True when more changed than load: something an agent could be told. */
  set(status: InstanceStatus): boolean;
  remove(server: string, instance: string): boolean;
}

export function createInstances(): Instances {
  const servers = new Map<string, readonly InstanceStatus[]>();
  const of = (server: string) => servers.get(server) ?? none;
  return {
    of,
    set(status) {
      const known = of(status.server);
      const at = known.findIndex(({ instance }) => instance === status.instance);
      servers.set(status.server, at === -1 ? [...known, status] : known.with(at, status));
      return known[at]?.state !== status.state;
    },
    remove(server, instance) {
      const rest = of(server).filter((status) => status.instance !== instance);
      if (rest.length === of(server).length) return false;
      if (rest.length === 0) servers.delete(server);
      else servers.set(server, rest);
      return true;
    },
  };
}

const none: readonly InstanceStatus[] = [];
