import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import { type Buckets, withBucket } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { token } from './subjects.ts';

/** What an operator can take out of service without touching the configuration. */
export const blockKinds = ['agent', 'server', 'tool'] as const;
export type BlockKind = (typeof blockKinds)[number];

/** One turn of the kill switch: the last one for each thing stays in the bucket, also where it set the thing free again. */
export interface BlockEvent {
  readonly kind: BlockKind;
  /** Id of the agent, name of the server, or `server__tool` with the server's own name of the tool. */
  readonly name: string;
  readonly blocked: boolean;
  /** Shown to the agent and to operators. */
  readonly reason?: string | undefined;
  /** Who did it: `user@host`. */
  readonly by: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export const maxBlockText = 500;

/** Writes a turn of the switch; every ingress follows. Resolves when NATS has stored it. */
export async function putBlock(buckets: Buckets, event: BlockEvent): Promise<void> {
  await withBucket(buckets, () => buckets.blocks.put(keyOf(event.kind, event.name), JSON.stringify(event)));
}

export interface FollowBlocksOptions {
  readonly buckets: Buckets;
  readonly log: Logger;
  /** Called for what is there already, then for every turn. What cannot be read is passed over. */
  onEvent(event: BlockEvent): void;
}

export interface FollowedBlocks {
  /** Resolves when everything that was blocked at the start has been told. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

/** Follows the switch for as long as the process lives. */
export function followBlocks({ buckets, log, onEvent }: FollowBlocksOptions): FollowedBlocks {
  const blocked = new Map<string, BlockEvent>();
  return followBucket({
    kv: buckets.blocks,
    restore: buckets.restore,
    log,
    onEntry(key, value) {
      const event = value === undefined ? undefined : readEvent(readJsonObject(value));
      if (event === undefined || key !== keyOf(event.kind, event.name)) {
        log.warn({ key: key.slice(0, 200) }, 'an entry of the bucket "blocks" cannot be read; nothing changes');
        return;
      }
      if (event.blocked) blocked.set(key, event);
      else blocked.delete(key);
      onEvent(event);
    },
    // What is free again is not written: a process that missed a turn must not set anything free.
    onAnew: () => Array.from(blocked, ([key, event]) => [key, JSON.stringify(event)] as const),
  });
}

function keyOf(kind: BlockKind, name: string): string {
  return `${kind}.${token(name)}`;
}

function readEvent(value: JsonObject | undefined): BlockEvent | undefined {
  if (value === undefined) return undefined;
  const { kind, name, blocked, reason, by, at } = value;
  const known = blockKinds.find((one) => one === kind);
  if (known === undefined || typeof name !== 'string' || typeof blocked !== 'boolean') return undefined;
  if (typeof by !== 'string' || typeof at !== 'number') return undefined;
  return {
    kind: known,
    name,
    blocked,
    reason: typeof reason === 'string' ? reason.slice(0, maxBlockText) : undefined,
    by: by.slice(0, maxBlockText),
    at,
  };
}
