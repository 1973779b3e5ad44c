import { createHash } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import { type Buckets, bucketTtl } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { type Subjects, token } from './subjects.ts';

/**
 * Who wants updates of which resource. An ingress writes what its agents want and renews it; the server's workers follow that and
 * subscribe upstream; what the upstream then tells goes to every ingress. An ingress that dies is forgotten after 30 s.
 */

const updatedEvent = 'resource_updated';
const renewMs = 10_000;
/** Two workers of one server both tell of a change within this time: agents hear of it once. */
const sameUpdateMs = 50;

/** The ingress' side; counts its agents' subscriptions. */
export interface ResourceInterest {
  watch(server: string, uri: string): () => void;
  onUpdated(listener: (server: string, params: JsonObject) => void): () => void;
  close(): void;
}

interface InterestOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly buckets: Buckets;
  readonly log: Logger;
}

export function createResourceInterest(options: InterestOptions & { readonly ingress: string }): ResourceInterest {
  const { nc, subjects, buckets, ingress, log } = options;
  const wanted = new Map<string, { server: string; uri: string; count: number }>();
  const listeners = new Set<(server: string, params: JsonObject) => void>();
  const lastUpdate = new Map<string, { instance: string; at: number }>();

  const put = (key: string, uri: string) =>
    buckets.interest
      .put(key, JSON.stringify({ uri }))
      .catch((error: unknown) => log.warn({ err: error }, 'cannot write a resource interest'));
  const timer = setInterval(() => {
    for (const [key, { uri }] of wanted) void put(key, uri);
  }, renewMs);

  const events = nc.subscribe(subjects.events(updatedEvent), {
    callback: (error, message) => {
      const event = error === null ? readJsonObject(message.data) : undefined;
      if (event === undefined) return;
      const { server, instance, params } = event as { server: string; instance: string; params: JsonObject };
      if (!isRepeat(`${server}\n${String(params['uri'])}`, instance))
        for (const listener of listeners) listener(server, params);
    },
  });

  function isRepeat(key: string, instance: string): boolean {
    const now = performance.now();
    const last = lastUpdate.get(key);
    if (last !== undefined && last.instance !== instance && now - last.at < sameUpdateMs) return true;
    if (lastUpdate.size > 10_000) lastUpdate.clear();
    lastUpdate.set(key, { instance, at: now });
    return false;
  }

  return {
    watch(server, uri) {
      const key = `${token(server)}.${digest(uri)}.${token(ingress)}`;
      const entry = wanted.get(key) ?? { server, uri, count: 0 };
      entry.count += 1;
      wanted.set(key, entry);
      if (entry.count === 1) void put(key, uri);
      let released = false;
      return () => {
        if (released) return;
        released = true;
        entry.count -= 1;
        if (entry.count > 0) return;
        wanted.delete(key);
        buckets.interest.delete(key).catch(() => undefined);
      };
    },
    onUpdated(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(timer);
      events.unsubscribe();
      for (const key of wanted.keys()) buckets.interest.delete(key).catch(() => undefined);
      wanted.clear();
    },
  };
}

/** The worker's side. */
export interface WantedResources {
  /** Tells every ingress that a resource changed. `params` are the upstream's own. */
  updated(params: JsonObject): void;
  close(): void;
}

/** Calls `onChange` with the set of the server's URIs that somebody wants, now and whenever it changes. */
export function followWantedResources(
  options: InterestOptions & {
    readonly server: string;
    readonly instance: string;
    onChange(uris: ReadonlySet<string>): void;
  },
): WantedResources {
  const { nc, subjects, buckets, log, server, instance, onChange } = options;
  const entries = new Map<string, { uri: string; seenAt: number }>();
  let told = '';

  function tell(): void {
    const uris = new Set([...entries.values()].map((entry) => entry.uri));
    const text = JSON.stringify([...uris].sort());
    if (text === told) return;
    told = text;
    onChange(uris);
  }

  const following = followBucket({
    kv: buckets.interest,
    filter: `${token(server)}.>`,
    log,
    onEntry(key, value) {
      const uri = value === undefined ? undefined : readJsonObject(value)?.['uri'];
      if (typeof uri === 'string') entries.set(key, { uri, seenAt: performance.now() });
      else entries.delete(key);
      tell();
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [key, { seenAt }] of entries) if (now - seenAt > bucketTtl.interestMs) entries.delete(key);
    tell();
  }, 5_000);

  return {
    updated(params) {
      nc.publish(subjects.event(server, updatedEvent), JSON.stringify({ server, instance, params }));
    },
    close() {
      clearInterval(timer);
      following.close();
    },
  };
}

function digest(uri: string): string {
  return createHash('sha256').update(uri).digest('base64url').slice(0, 22);
}
