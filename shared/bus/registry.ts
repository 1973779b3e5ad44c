import type { Logger } from 'pino';
import { createLateness } from '../lateness.ts';
import type { JsonObject } from '../mcp/json.ts';
import type { InstanceStatus, Manifest } from '../mcp/manifest.ts';
import { type Buckets, bucketTtl } from './buckets.ts';
import { followBucket } from './follow.ts';
import { type Head, readHead, readManifest, readStatus } from './read-registry.ts';
import { token } from './subjects.ts';

export interface RegistryListener {
  /** A worker process said how it is; called every second for each. */
  onStatus(status: InstanceStatus): void;
  /** A worker process is gone: it said so, or was silent for 4 s. */
  onGone(server: string, instance: string): void;
  /** The server's manifest as its living workers (or the last ones) offer it; undefined: forgotten. */
  onManifest(server: string, manifest: Manifest | undefined): void;
}

export interface Registry {
  /** Resolves when what was known at the start has been told to the listener. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

const silentMs = bucketTtl.workersMs - 1_000;
const lookMs = 500;

/** Follows the registry and keeps it in memory. Workers with different manifests are merged: newest process first. */
export function followRegistry(buckets: Buckets, listener: RegistryListener, log: Logger): Registry {
  const statuses = new Map<string, { status: InstanceStatus; seenAt: number }>();
  const heads = new Map<string, Head>();
  const manifests = new Map<string, Map<string, Manifest>>();
  const told = new Map<string, string>();
  const loading = new Map<string, Promise<void>>();

  const workers = followBucket({
    kv: buckets.workers,
    restore: buckets.restore,
    log,
    onEntry(key, value) {
      if (value === undefined) {
        drop(key);
        return;
      }
      const status = readStatus(key, value);
      if (status === undefined) return unreadable('workers', key);
      statuses.set(key, { status, seenAt: performance.now() });
      listener.onStatus(status);
      void refresh(status.server);
    },
  });
  const catalog = followBucket({
    kv: buckets.catalog,
    restore: buckets.restore,
    filter: '*.head',
    log,
    onEntry(key, value) {
      if (value === undefined) {
        for (const server of heads.keys()) if (`${token(server)}.head` === key) forgotten(server);
        return;
      }
      const head = readHead(key, value);
      if (head === undefined) return unreadable('catalog', key);
      heads.set(head.server, head);
      void refresh(head.server);
    },
  });
  const lateAt = createLateness(lookMs);
  const timer = setInterval(() => {
    const now = performance.now();
    const late = lateAt(now);
    // Heartbeats may be waiting unread.
    if (late > lookMs) for (const known of statuses.values()) known.seenAt += late;
    for (const [key, { seenAt }] of statuses) if (now - seenAt > silentMs) drop(key);
  }, lookMs);

  function unreadable(bucket: string, key: string): void {
    log.warn({ bucket, key: key.slice(0, 200) }, 'an entry of the registry cannot be read; nothing changes');
  }

  function drop(key: string): void {
    const known = statuses.get(key);
    if (known === undefined) return;
    statuses.delete(key);
    listener.onGone(known.status.server, known.status.instance);
    void refresh(known.status.server);
  }

  function forgotten(server: string): void {
    heads.delete(server);
    manifests.delete(server);
    told.delete(server);
    listener.onManifest(server, undefined);
  }

  /** One refresh of a server at a time, so that an older manifest never overtakes a newer one. */
  async function refresh(server: string): Promise<void> {
    const wanted = wantedHashes(server);
    const version = wanted.join(' ');
    if (told.get(server) === version || wanted.length === 0) return;
    const before = loading.get(server) ?? Promise.resolve();
    const next = before
      .then(() => load(server))
      .catch((error: unknown) => log.warn({ err: error, server }, 'cannot read a manifest'));
    loading.set(server, next);
    await next;
  }

  /** Hashes of the living workers, newest process first; the head alone when nobody lives. */
  function wantedHashes(server: string): string[] {
    const living = [...statuses.values()]
      .map(({ status }) => status)
      .filter((status) => status.server === server && status.manifest !== undefined)
      .sort((a, b) => b.startedAt - a.startedAt || (a.instance < b.instance ? -1 : 1));
    const hashes = [...new Set(living.map((status) => status.manifest as string))];
    const head = heads.get(server);
    if (hashes.length === 0 && head !== undefined) hashes.push(head.hash);
    return hashes;
  }

  async function load(server: string): Promise<void> {
    const wanted = wantedHashes(server);
    const version = wanted.join(' ');
    if (told.get(server) === version || wanted.length === 0) return;
    let known = manifests.get(server);
    if (known === undefined) {
      known = new Map();
      manifests.set(server, known);
    }
    const found: Manifest[] = [];
    for (const hash of wanted) {
      const manifest = known.get(hash) ?? (await read(server, hash));
      if (manifest !== undefined) found.push(manifest);
    }
    if (found.length === 0) return;
    if (found.length === wanted.length) told.set(server, version);
    known.clear();
    for (const manifest of found) known.set(manifest.hash, manifest);
    listener.onManifest(server, mergeManifests(found));
  }

  async function read(server: string, hash: string): Promise<Manifest | undefined> {
    const parts: Uint8Array[] = [];
    for (let n = 0; ; n += 1) {
      const entry = await buckets.catalog.get(`${token(server)}.${hash}.${n}`);
      if (entry === null || entry.operation !== 'PUT') break;
      parts.push(entry.value);
    }
    return parts.length === 0 ? undefined : readManifest(server, hash, Buffer.concat(parts));
  }

  return {
    caughtUp: Promise.all([workers.caughtUp, catalog.caughtUp])
      .then(() => Promise.all(loading.values()))
      .then(() => undefined),
    close() {
      clearInterval(timer);
      workers.close();
      catalog.close();
    },
  };
}

/** The union of what several versions of one server offer; the first one wins where both have an item. */
export function mergeManifests(manifests: readonly Manifest[]): Manifest {
  const [first, ...others] = manifests;
  if (first === undefined) throw new Error('mergeManifests needs one manifest');
  if (others.length === 0) return first;
  const union = (pick: (manifest: Manifest) => readonly JsonObject[], key: string) => {
    const items = new Map<unknown, JsonObject>();
    for (const manifest of manifests)
      for (const item of pick(manifest)) if (!items.has(item[key])) items.set(item[key], item);
    return [...items.values()];
  };
  return {
    ...first,
    hash: manifests.map((manifest) => manifest.hash).join('+'),
    tools: union((manifest) => manifest.tools, 'name'),
    prompts: union((manifest) => manifest.prompts, 'name'),
    resources: union((manifest) => manifest.resources, 'uri'),
    resourceTemplates: union((manifest) => manifest.resourceTemplates, 'uriTemplate'),
  };
}
