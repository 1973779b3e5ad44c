import type { BlockEvent, BlockKind } from '../../../shared/bus/blocks.ts';
import { fullName } from '../catalog/names.ts';

/** What is blocked now, from memory: nothing here asks NATS. */
export interface BlockList {
  /** Undefined: not blocked. By the id of the principal, however it was authenticated. */
  agent(id: string): BlockEvent | undefined;
  server(name: string): BlockEvent | undefined;
  /** `tool` is the server's own name. The server's own block counts too. */
  tool(server: string, tool: string): BlockEvent | undefined;
  /** All of them, by kind and name. */
  list(): readonly BlockEvent[];
}

export interface Blocks extends BlockList {
  /** Takes in a turn of the switch; listeners hear of it when it changed something. */
  apply(event: BlockEvent): void;
  /**
   * Calls back with every turn that changed something, at once; returns the unsubscribe function. Every ingress is told of the same turn;
   * kind, name and `at` name it.
   */
  onChange(listener: (event: BlockEvent) => void): () => void;
  close(): void;
}

/** An empty list; the bus pushes turns of the switch into it. */
export function createBlocks(): Blocks {
  const blocked: Readonly<Record<BlockKind, Map<string, BlockEvent>>> = {
    agent: new Map(),
    server: new Map(),
    tool: new Map(),
  };
  const listeners = new Set<(event: BlockEvent) => void>();
  return {
    agent: (id) => blocked.agent.get(id),
    server: (name) => blocked.server.get(name),
    tool: (server, tool) => blocked.server.get(server) ?? blocked.tool.get(fullName(server, tool)),
    list: () =>
      (['agent', 'server', 'tool'] as const).flatMap((kind) =>
        [...blocked[kind].values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
      ),
    apply(event) {
      const known = blocked[event.kind];
      const before = known.get(event.name);
      if (event.blocked) known.set(event.name, event);
      else known.delete(event.name);
      if (event.blocked ? before?.at === event.at : before === undefined) return;
      for (const listener of [...listeners]) listener(event);
    },
    onChange(listener) {
      const own = (event: BlockEvent) => listener(event);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    close: () => listeners.clear(),
  };
}

/** Where nothing can be blocked. */
export const nothingBlocked: BlockList = {
  agent: () => undefined,
  server: () => undefined,
  tool: () => undefined,
  list: () => [],
};

/** Why it is blocked, for people. */
export function blockText({ reason, by }: BlockEvent): string {
  return reason === undefined || reason === '' ? `blocked by ${by}` : `blocked by ${by}: ${reason}`;
}
