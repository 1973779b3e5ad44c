import type { Logger } from 'pino';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import { type Buckets, withBucket } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { token } from './subjects.ts';

/** The definition of a tool that agents may rely on: the first one seen, or the one that an operator approved since. */
export interface Pin {
  readonly server: string;
  /** The server's own name. */
  readonly tool: string;
  /** SHA-256 over the canonical JSON of what is pinned, hex. */
  readonly hash: string;
  /** What is pinned, to show what changed; absent where it is too large to keep. */
  readonly definition?: JsonObject | undefined;
  /** `first seen`, or who approved it: `user@host`. */
  readonly by: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** A value of a bucket must fit into one NATS message. */
const maxDefinitionBytes = 512 * 1024;
const maxBy = 200;

/** Pins a tool that has no pin; false where another process was first. */
export async function createPin(buckets: Pick<Buckets, 'pins' | 'restore'>, pin: Pin): Promise<boolean> {
  try {
    await withBucket(buckets, () => buckets.pins.create(keyOf(pin), textOf(pin)));
    return true;
  } catch (error) {
    if ((await buckets.pins.get(keyOf(pin)))?.operation === 'PUT') return false;
    throw error;
  }
}

/** Replaces the pin of a tool; every ingress follows. Resolves when NATS has stored it. */
export async function putPin(buckets: Pick<Buckets, 'pins' | 'restore'>, pin: Pin): Promise<void> {
  await withBucket(buckets, () => buckets.pins.put(keyOf(pin), textOf(pin)));
}

export interface FollowPinsOptions {
  readonly buckets: Pick<Buckets, 'pins' | 'restore'>;
  readonly log: Logger;
  /** Called for what is there already, then for every change. What cannot be read is passed over: the last pin stays, also where the bucket was lost. */
  onPin(pin: Pin): void;
}

export interface FollowedPins {
  /** Resolves when everything that was pinned at the start has been told. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

export function followPins({ buckets, log, onPin }: FollowPinsOptions): FollowedPins {
  const pins = new Map<string, Pin>();
  return followBucket({
    kv: buckets.pins,
    restore: buckets.restore,
    log,
    onEntry(key, value) {
      const pin = value === undefined ? undefined : readPin(readJsonObject(value));
      if (pin !== undefined && key === keyOf(pin)) {
        pins.set(key, pin);
        onPin(pin);
      } else log.warn({ key: key.slice(0, 200) }, 'an entry of the bucket "pins" cannot be read; nothing changes');
    },
    onAnew: () => Array.from(pins, ([key, pin]) => [key, textOf(pin)] as const),
  });
}

function keyOf({ server, tool }: Pick<Pin, 'server' | 'tool'>): string {
  return `${token(server)}.${token(tool)}`;
}

function textOf(pin: Pin): string {
  const { definition, ...rest } = pin;
  const text = JSON.stringify(pin);
  return definition === undefined || Buffer.byteLength(text) <= maxDefinitionBytes ? text : JSON.stringify(rest);
}

function readPin(value: JsonObject | undefined): Pin | undefined {
  if (value === undefined) return undefined;
  const { server, tool, hash, definition, by, at } = value;
  if (typeof server !== 'string' || typeof tool !== 'string' || typeof hash !== 'string') return undefined;
  if (!/^[0-9a-f]{64}$/.test(hash) || typeof by !== 'string' || typeof at !== 'number') return undefined;
  const kept = isJsonObject(definition) ? definition : undefined;
  return { server, tool, hash, definition: kept, by: by.slice(0, maxBy), at };
}
