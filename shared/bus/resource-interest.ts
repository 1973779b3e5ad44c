import { createHash } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import { type Buckets, bucketTtl } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { updatedEvent } from './resource-events.ts';
import { type Subjects, token } from './subjects.ts';

/**
 * Who wants updates of which resource. An ingress writes what its agents want and renews it; the server's workers follow that,
 * subscribe upstream and say so; what the upstream then tells goes to every ingress (resource-events.ts). An ingress that dies is
 * forgotten after 30 s.
 */

const watchedEvent = 'resource_watched';
const renewMs = 10_000;
/** An agent that comes back at another ingress, or after a moment, finds its resource still subscribed to upstream. */
const lingerMs = 20_000;
/** A server without a worker subscribes to nothing; nobody waits for it longer than this. */
const activeWithinMs = 1_000;

/** One wish to be told about a resource. */
export interface Watch {
  /** Resolves when a worker has subscribed upstream, or after a second. */
  readonly active: Promise<void>;
  release(): void;
}

/** The ingress' side; counts its agents' subscriptions. */
export interface ResourceInterest {
  watch(server: string, uri: string): Watch;
  close(): void;
}

interface InterestOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly buckets: Pick<Buckets, 'interest'>;
  readonly log: Logger;
}

interface Wanted {
  readonly uri: string;
  count: number;
  /** `performance.now()` of the last release. */
  releasedAt: number;
  readonly active: Promise<void>;
  activate(): void;
}

export function createResourceInterest(options: InterestOptions & { readonly ingress: string }): ResourceInterest {
  const { nc, subjects, buckets, ingress, log } = options;
  const wanted = new Map<string, Wanted>();

  const put = (key: string, uri: string) =>
    buckets.interest
      .put(key, JSON.stringify({ uri }))
      .catch((error: unknown) => log.warn({ err: error }, 'cannot write a resource interest'));
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [key, entry] of wanted) {
      if (entry.count > 0) void put(key, entry.uri);
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
      for (const resource of resources) wanted.get(`${token(server)}.${resource}.${token(ingress)}`)?.activate();
    },
  });

  const want = (key: string, uri: string): Wanted => {
    let activate = () => {};
    const active = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, activeWithinMs);
      activate = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const entry: Wanted = { uri, count: 0, releasedAt: 0, active, activate };
    wanted.set(key, entry);
    void put(key, uri);
    return entry;
  };

  return {
    watch(server, uri) {
      const key = `${token(server)}.${digest(uri)}.${token(ingress)}`;
      const entry = wanted.get(key) ?? want(key, uri);
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

/** The worker's side. */
export interface WantedResources {
  /** Tells every ingress that a resource changed. `params` are the upstream's own. */
  updated(params: JsonObject): void;
  /** Resolves when `uris` knows what was wanted at the start. */
  readonly caughtUp: Promise<void>;
  /** What somebody wants now. */
  uris(): ReadonlySet<string>;
  /** The upstream was away for a while: each of these may have changed unseen, which every ingress is told. */
  missed(uris: ReadonlySet<string>): void;
  close(): void;
}

export interface FollowWantedOptions extends InterestOptions {
  readonly server: string;
  readonly instance: string;
  /** Resolves when the upstream is subscribed to these and to no others. */
  onChange(uris: ReadonlySet<string>): Promise<void>;
}

/** Calls `onChange` with the set of the server's URIs that somebody wants, now and whenever it changes. */
export function followWantedResources(options: FollowWantedOptions): WantedResources {
  const { nc, subjects, buckets, log, server, instance, onChange } = options;
  const entries = new Map<string, { uri: string; seenAt: number }>();
  let told: ReadonlySet<string> = new Set();
  let settled: Promise<void> = Promise.resolve();

  function tell(): void {
    const uris = new Set(Array.from(entries.values(), ({ uri }) => uri));
    if (uris.size === told.size && [...uris].every((uri) => told.has(uri))) return;
    told = uris;
    const changed = onChange(uris).catch((error: unknown) => log.warn({ err: error }, 'cannot subscribe to resources'));
    settled = Promise.all([settled, changed]).then(() => undefined);
  }

  function confirm(uri: string): void {
    void settled.then(() => {
      if (!nc.isClosed())
        nc.publish(subjects.event(server, watchedEvent), JSON.stringify({ server, resources: [digest(uri)] }));
    });
  }

  const updated = (params: JsonObject) => {
    if (!nc.isClosed()) nc.publish(subjects.event(server, updatedEvent), JSON.stringify({ server, instance, params }));
  };

  const following = followBucket({
    kv: buckets.interest,
    filter: `${token(server)}.>`,
    log,
    onEntry(key, value) {
      const uri = value === undefined ? undefined : readJsonObject(value)?.['uri'];
      if (typeof uri !== 'string') {
        entries.delete(key);
        return tell();
      }
      const isNew = !entries.has(key);
      entries.set(key, { uri, seenAt: performance.now() });
      tell();
      if (isNew) confirm(uri);
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [key, { seenAt }] of entries) if (now - seenAt > bucketTtl.interestMs) entries.delete(key);
    tell();
  }, 5_000);

  return {
    updated,
    caughtUp: following.caughtUp,
    uris: () => told,
    missed(uris) {
      void settled.then(() => {
        for (const uri of uris) if (told.has(uri)) updated({ uri });
      });
    },
    close() {
      clearInterval(timer);
      following.close();
    },
  };
}

/** Other instances beat every second; one that did not for this long, in the time of NATS, is gone. */
const aliveMs = 1_500;

/** True when no other instance of the server has beaten lately: what its upstream told meanwhile nobody heard. */
export async function isAlone(
  { workers }: Pick<Buckets, 'workers'>,
  server: string,
  instance: string,
): Promise<boolean> {
  const own = `${token(server)}.${token(instance)}`;
  const mine = await workers.get(own);
  if (mine === null) return false;
  const keys: string[] = [];
  for await (const key of await workers.keys(`${token(server)}.>`)) if (key !== own) keys.push(key);
  const others = await Promise.all(keys.map((key) => workers.get(key)));
  return others.every(
    (other) => other?.operation !== 'PUT' || mine.created.getTime() - other.created.getTime() > aliveMs,
  );
}

function digest(uri: string): string {
  return createHash('sha256').update(uri).digest('base64url').slice(0, 22);
}
