import type { KV } from '@nats-io/kv';
import type { Logger } from 'pino';

export interface FollowOptions {
  readonly kv: KV;
  /** Key filter such as `github.>`; absent: all keys. */
  readonly filter?: string | undefined;
  readonly log: Logger;
  /**
   * `value` undefined: the key was deleted. Called for what is there already, then for every change, and again for all that is there
   * after the watch broke. `revision` grows with every change of the bucket.
   */
  onEntry(key: string, value: Uint8Array | undefined, revision: number): void;
}

export interface Following {
  /** Resolves when everything that was there at the start has been seen. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

/** How often it is looked whether the bucket is still the same one. */
const lookMs = 5_000;

/** Follows a bucket for as long as the process lives; a watch that breaks is opened again. Expired keys are not announced by NATS. */
export function followBucket({ kv, filter, log, onEntry }: FollowOptions): Following {
  let closed = false;
  let stop: (() => void) | undefined;
  let created: string | undefined;
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

  /** A bucket that was deleted and made anew counts from one again, and the watch would wait for the number that it was at. */
  async function look(): Promise<void> {
    const before = created;
    try {
      created = (await kv.status()).streamInfo.created;
    } catch {
      // Where it cannot be asked, nothing is known to have changed.
      return;
    }
    if (before !== undefined && before !== created) stop?.();
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
