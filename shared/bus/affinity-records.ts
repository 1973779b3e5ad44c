import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import { isJsonObject } from '../mcp/json.ts';
import { type Buckets, withBucket } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { token } from './subjects.ts';

/** One life of an instance: a restarted child is another one, although its worker is the same. */
export interface Incarnation {
  readonly instance: string;
  readonly restarts: number;
}

/** Where the calls of one key go. */
export interface AffinityRecord {
  /** Undefined: whoever kept the state of this key is gone, and nobody has taken its place yet. */
  readonly at: Incarnation | undefined;
  /** The one that is gone. */
  readonly gone?: Incarnation | undefined;
  /** Epoch milliseconds of the last writing. */
  readonly writtenAt: number;
  /** 0: the bucket that it stood in was lost. */
  readonly revision: number;
}

/** Who keeps the state of whom, agreed upon by all ingresses. Read from memory; written when a key is new or its instance is gone. */
export interface AffinityRecords {
  readonly caughtUp: Promise<void>;
  get(server: string, key: string): AffinityRecord | undefined;
  /** How many keys each instance of a server has. */
  counts(server: string): ReadonlyMap<string, number>;
  /**
   * Writes `next` in the place of `before` (undefined: of none). Resolves with the record in force, which is another ingress' where that was
   * first. Rejects when NATS cannot be reached.
   */
  replace(
    server: string,
    key: string,
    before: AffinityRecord | undefined,
    next: Pick<AffinityRecord, 'at' | 'gone'>,
  ): Promise<{ record: AffinityRecord | undefined; mine: boolean }>;
  close(): void;
}

export function createAffinityRecords(buckets: Pick<Buckets, 'affinity' | 'restore'>, log: Logger): AffinityRecords {
  const { affinity, restore } = buckets;
  const records = new Map<string, AffinityRecord>();
  const following = followBucket({
    kv: affinity,
    restore,
    log,
    onEntry(name, value, revision) {
      const known = records.get(name);
      if (known !== undefined && known.revision >= revision) return;
      const record = value === undefined ? undefined : readRecord(readJsonObject(value), revision);
      if (record === undefined) records.delete(name);
      else records.set(name, record);
    },
    onAnew() {
      for (const [name, record] of records) records.set(name, { ...record, revision: 0 });
      return Array.from(records, ([name, { at, gone, writtenAt }]) => [name, textOf({ at, gone, writtenAt })] as const);
    },
  });

  async function stored(name: string): Promise<AffinityRecord | undefined> {
    const entry = await affinity.get(name);
    const record =
      entry === null || entry.operation !== 'PUT' ? undefined : readRecord(readJsonObject(entry.value), entry.revision);
    if (record === undefined) records.delete(name);
    else records.set(name, record);
    return record;
  }

  return {
    caughtUp: following.caughtUp,
    get: (server, key) => records.get(nameOf(server, key)),
    counts(server) {
      const prefix = `${token(server)}.`;
      const counts = new Map<string, number>();
      for (const [name, { at }] of records) {
        if (at !== undefined && name.startsWith(prefix)) counts.set(at.instance, (counts.get(at.instance) ?? 0) + 1);
      }
      return counts;
    },
    async replace(server, key, before, next) {
      const name = nameOf(server, key);
      const writtenAt = Date.now();
      const text = textOf({ ...next, writtenAt });
      try {
        const revision = await withBucket(buckets, () =>
          before === undefined || before.revision === 0
            ? affinity.create(name, text)
            : affinity.update(name, text, before.revision),
        );
        const record = { at: next.at, gone: next.gone, writtenAt, revision };
        records.set(name, record);
        return { record, mine: true };
      } catch (error) {
        // Another ingress was first, or the entry has expired.
        const record = await stored(name);
        if ((record?.revision ?? 0) === (before?.revision ?? 0)) throw error;
        return { record, mine: false };
      }
    },
    close: following.close,
  };
}

const nameOf = (server: string, key: string) => `${token(server)}.${token(key)}`;

const textOf = (record: Omit<AffinityRecord, 'revision'>) => JSON.stringify(record);

function readRecord(value: JsonObject | undefined, revision: number): AffinityRecord | undefined {
  if (value === undefined) return undefined;
  const { at, gone, writtenAt } = value;
  if (typeof writtenAt !== 'number') return undefined;
  return { at: readIncarnation(at), gone: readIncarnation(gone), writtenAt, revision };
}

function readIncarnation(value: unknown): Incarnation | undefined {
  if (!isJsonObject(value)) return undefined;
  const { instance, restarts } = value;
  return typeof instance === 'string' && typeof restarts === 'number' ? { instance, restarts } : undefined;
}
