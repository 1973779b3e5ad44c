import type { KV } from '@nats-io/kv';
import type { Logger } from 'pino';
import { isConflict, isStreamMissing } from './jetstream-errors.ts';

export interface FollowOptions {
  readonly kv: KV;
  /** Key filter such as `github.>`; absent: all keys. */
  readonly filter?: string | undefined;
  readonly log: Logger;
  /**
   * `value` undefined: the key was deleted. Called for what is there already, then for every change, and again for all that is there
   * after the watch broke. `revision` grows with every change of the bucket, until `onAnew`.
   */
  onEntry(key: string, value: Uint8Array | undefined, revision: number): void;
  /** Makes the bucket anew where it is gone: somebody deleted it, or NATS lost its store. */
  readonly restore: () => Promise<void>;
  /**
   * The bucket is another one than before: it lacks what this process has seen, and its revisions begin at one. Returns entries to write
   * into it again; where somebody was first, theirs stays.
   */
  onAnew?(): Iterable<Entry>;
}

type Entry = readonly [key: string, value: string];

export interface Following {
  /** Resolves when everything that was there at the start has been seen. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

/** How often it is looked whether the bucket is still the same one. */
const lookMs = 5_000;

/** Follows a bucket for as long as the process lives; a watch that breaks is opened again. Expired keys are not announced by NATS. */
export function followBucket({ kv, filter, log, onEntry, restore, onAnew }: FollowOptions): Following {
  let closed = false;
  let stop: (() => void) | undefined;
  let created: string | undefined;
  let looking = false;
  /** What a new bucket still lacks. */
  let lacking: Entry[] = [];
  let ready = () => {};
  const caughtUp = new Promise<void>((resolve) => {
    ready = resolve;
  });

  async function run(): Promise<void> {
    while (!closed) {
      try {
        const watch = await kv.watch(filter === undefined ? {} : { key: filter });
        stop = () => watch.stop();
        void look();
        if (await isEmpty(kv, filter)) ready();
        for await (const entry of watch) {
          onEntry(entry.key, entry.operation === 'PUT' ? entry.value : undefined, entry.revision);
          if (entry.isUpdate || entry.delta === 0) ready();
        }
      } catch (error) {
        if (closed) return;
        log.warn({ err: error, filter }, 'a bucket watch broke; opening it again');
      }
      if (!closed) await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  async function look(): Promise<void> {
    if (looking || closed) return;
    looking = true;
    try {
      const now = await identity();
      if (created !== undefined && created !== now) begunAnew();
      created = now;
      await complete();
    } catch (error) {
      // Where it cannot be asked, nothing is known to have changed.
      log.debug({ err: error, filter }, 'a bucket could not be looked at');
    } finally {
      looking = false;
    }
  }

  async function identity(): Promise<string> {
    try {
      return (await kv.status()).streamInfo.created;
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
      await restore();
      return (await kv.status()).streamInfo.created;
    }
  }

  /** A bucket that was deleted and made anew counts from one again, and the watch would wait for the number that it was at. */
  function begunAnew(): void {
    lacking = [...(onAnew?.() ?? [])];
    stop?.();
  }

  async function complete(): Promise<void> {
    for (let next = lacking[0]; next !== undefined && !closed; next = lacking[0]) {
      const [key, value] = next;
      try {
        await kv.put(key, value, { previousSeq: 0 });
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
      lacking.shift();
    }
  }

  const looks = setInterval(() => void look(), lookMs);
  looks.unref();
  void run();
  return {
    caughtUp,
    close() {
      closed = true;
      clearInterval(looks);
      stop?.();
    },
  };
}

async function isEmpty(kv: KV, filter: string | undefined): Promise<boolean> {
  for await (const _ of await kv.keys(filter ?? '>')) return false;
  return true;
}
