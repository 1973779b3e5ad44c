import type { ServerResponse } from 'node:http';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { Blocks } from './blocks.ts';

/** Keeps blocked agents out of the public listener, also those that are inside. */
export interface BlockGate {
  /** What to tell a blocked agent; undefined: it may pass. */
  refusal(principal: Principal): string | undefined;
  /** Ends this standing stream as soon as its agent is blocked. */
  watch(principal: Principal, res: ServerResponse): void;
  close(): void;
}

/** The gate before the routes. Answers to calls in flight are no standing streams: they may finish. */
export function createBlockGate(blocks: Blocks): BlockGate {
  const standing = new Map<string, Set<ServerResponse>>();
  const stop = blocks.onChange(({ kind, name, blocked }) => {
    if (kind !== 'agent' || !blocked) return;
    for (const res of standing.get(name) ?? []) res.end();
  });
  return {
    refusal({ id }) {
      const block = blocks.agent(id);
      if (block === undefined) return undefined;
      return block.reason ? `this agent is blocked: ${block.reason}` : 'this agent is blocked';
    },
    watch({ id }, res) {
      const known = standing.get(id) ?? new Set();
      standing.set(id, known.add(res));
      res.once('close', () => {
        known.delete(res);
        if (known.size === 0 && standing.get(id) === known) standing.delete(id);
      });
    },
    close() {
      stop();
      standing.clear();
    },
  };
}
