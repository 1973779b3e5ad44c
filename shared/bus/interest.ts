import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import { type Buckets, bucketTtl } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { type Subjects, token } from './subjects.ts';

/**
 * Who wants to be told of what. An ingress writes what its agents want and renews it; the server's workers follow that, see to it that they
 * are told themselves, and say so. An ingress that dies is forgotten after 30 s.
 */

const watchedEvent = 'resource_watched';
const renewMs = 10_000;
/** An agent that comes back at another ingress, or after a moment, finds what it wanted still followed. */
const lingerMs = 20_000;
/** A server without a worker follows nothing; nobody waits for it longer than this. */
const activeWithinMs = 1_000;

/** One wish to be told of something. */
export interface Watch {
  /** Resolves when a worker follows it, or after a second. */
  readonly active: Promise<void>;
  release(): void;
}

export interface InterestOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly buckets: Pick<Buckets, 'interest' | 'restore'>;
  readonly log: Logger;
}

/** The ingress' side; counts what its agents want. */
export interface Interest {
  /** `name`: subject tokens that stand for `value` and nothing else at that server. `value`: what the workers read. */
  watch(server: string, name: string, value: JsonObject): Watch;
  close(): void;
}

interface Wanted {
  readonly value: string;
  count: number;
  /** `performance.now()` of the last release. */
  releasedAt: number;
  readonly active: Promise<void>;
  activate(): void;
}

export function createInterest(options: InterestOptions & { readonly ingress: string }): Interest {
  const { nc, subjects, buckets, ingress, log } = options;
  const wanted = new Map<string, Wanted>();

  const put = (key: string, value: string) =>
    buckets.interest.put(key, value).catch((error: unknown) => log.warn({ err: error }, 'cannot write an interest'));
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [key, entry] of wanted) {
      if (entry.count > 0) void put(key, entry.value);
      else if (now - entry.releasedAt > lingerMs) {
        wanted.delete(key);
        entry.activate();
        buckets.interest.delete(key).catch(() => undefined);
      }
    }
  }, renewMs);

  const watched = nc.subscribe(subjects.events(watchedEvent), {
    callback: (error, message) => {
      const { server, resources } = (error === null ? readJsonObject(message.data) : undefined) ?? {};
      if (typeof server !== 'string' || !Array.isArray(resources)) return;
      for (const name of resources) wanted.get(`${token(server)}.${name}.${token(ingress)}`)?.activate();
    },
  });

  const want = (key: string, value: string): Wanted => {
    let activate = () => {};
    const active = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, activeWithinMs);
      activate = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const entry: Wanted = { value, count: 0, releasedAt: 0, active, activate };
    wanted.set(key, entry);
    void put(key, value);
    return entry;
  };

  return {
    watch(server, name, value) {
      const key = `${token(server)}.${name}.${token(ingress)}`;
      const entry = wanted.get(key) ?? want(key, JSON.stringify(value));
      entry.count += 1;
      let released = false;
      return {
        active: entry.active,
        release() {
          if (released) return;
          released = true;
          entry.count -= 1;
          entry.releasedAt = performance.now();
        },
      };
    },
    close() {
      clearInterval(timer);
      watched.unsubscribe();
      for (const entry of wanted.values()) entry.activate();
      // Not deleted: the agents go to other ingresses now, and nothing may be missed meanwhile.
      wanted.clear();
    },
  };
}

/** The worker's side, of one kind of wish. */
export interface FollowedInterest {
  /** Resolves when `wanted` knows what was wanted at the start. */
  readonly caughtUp: Promise<void>;
  /** What somebody wants now. */
  wanted(): ReadonlySet<string>;
  /** Resolves when every `onChange` so far is done. */
  settled(): Promise<void>;
  close(): void;
}

export interface FollowInterestOptions extends InterestOptions {
  readonly server: string;
  /** Key filter of this kind, after the server. */
  readonly filter: string;
  /** What an entry wants; undefined when it is of another kind or for another worker. */
  read(value: JsonObject): string | undefined;
  /** The name under which it is wanted. */
  nameOf(wanted: string): string;
  /** Resolves when these are followed and no others. */
  onChange(wanted: ReadonlySet<string>): Promise<void>;
}

/** Calls `onChange` with the set of what somebody wants of this server, now and whenever it changes. */
export function followInterest(options: FollowInterestOptions): FollowedInterest {
  const { nc, subjects, buckets, log, server, filter, read, nameOf, onChange } = options;
  const entries = new Map<string, { what: string; seenAt: number }>();
  let told: ReadonlySet<string> = new Set();
  let settled: Promise<void> = Promise.resolve();

  function tell(): void {
    const wanted = new Set(Array.from(entries.values(), ({ what }) => what));
    if (wanted.size === told.size && [...wanted].every((what) => told.has(what))) return;
    told = wanted;
    const changed = onChange(wanted).catch((error: unknown) =>
      log.warn({ err: error }, 'cannot follow what is wanted'),
    );
    settled = Promise.all([settled, changed]).then(() => undefined);
  }

  function confirm(what: string): void {
    void settled.then(() => {
      if (!nc.isClosed())
        nc.publish(subjects.event(server, watchedEvent), JSON.stringify({ server, resources: [nameOf(what)] }));
    });
  }

  const following = followBucket({
    kv: buckets.interest,
    restore: buckets.restore,
    filter: `${token(server)}.${filter}`,
    log,
    onEntry(key, value) {
      const object = value === undefined ? undefined : readJsonObject(value);
      const what = object && read(object);
      if (what === undefined) {
        entries.delete(key);
        return tell();
      }
      const isNew = !entries.has(key);
      entries.set(key, { what, seenAt: performance.now() });
      tell();
      if (isNew) confirm(what);
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [key, { seenAt }] of entries) if (now - seenAt > bucketTtl.interestMs) entries.delete(key);
    tell();
  }, 5_000);

  return {
    caughtUp: following.caughtUp,
    wanted: () => told,
    settled: () => settled,
    close() {
      clearInterval(timer);
      following.close();
    },
  };
}
