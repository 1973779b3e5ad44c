import type { KV } from '@nats-io/kv';
import { RequestError } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { JsonObject } from '../mcp/json.ts';
import type { InstanceStatus, Manifest } from '../mcp/manifest.ts';
import { type Buckets, bucketTtl, type WorkerBuckets } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { type Head, readHead, readManifest, readStatus } from './read-registry.ts';
import { token } from './subjects.ts';

/** KV values share NATS' message limit (1 MiB by default), so a manifest is stored in parts. */
const partBytes = 512 * 1024;
const beatMs = 1_000;

/** What a worker writes into the registry. */
export interface Announcer {
  /** Stores the manifest and makes it the server's last known one. */
  publish(manifest: Manifest): Promise<void>;
  /** Writes the status now; it is repeated every second until `close`. */
  beat(): void;
  /** Takes this process out of the registry. */
  close(): Promise<void>;
}

export function createAnnouncer(buckets: WorkerBuckets, status: () => InstanceStatus, log: Logger): Announcer {
  const { server, instance } = status();
  const key = `${token(server)}.${token(instance)}`;
  let failing = false;
  let restoring = false;
  let closed = false;
  let offered: Manifest | undefined;

  function beat(): void {
    if (closed) return;
    buckets.workers.put(key, JSON.stringify(status())).then(
      () => {
        failing = false;
      },
      (error: unknown) => {
        if (!failing) log.warn({ err: error }, 'cannot write the heartbeat');
        failing = true;
        if (isGone(error)) void restore();
      },
    );
  }

  async function restore(): Promise<void> {
    if (restoring || closed) return;
    restoring = true;
    try {
      await buckets.restore();
      if (offered !== undefined) await publish(offered);
      log.warn('the registry was gone and has been written again');
      beat();
    } catch (error) {
      log.debug({ err: error }, 'the registry cannot be restored yet');
    } finally {
      restoring = false;
    }
  }

  async function publish(manifest: Manifest): Promise<void> {
    const { hash, ...rest } = manifest;
    const bytes = Buffer.from(JSON.stringify(rest), 'utf8');
    const parts = Math.max(1, Math.ceil(bytes.length / partBytes));
    const root = token(server);
    for (let n = 0; n < parts; n += 1) {
      await buckets.catalog.put(`${root}.${hash}.${n}`, bytes.subarray(n * partBytes, (n + 1) * partBytes));
    }
    const before = await lastKnownHash(buckets, root);
    await buckets.catalog.put(`${root}.head`, JSON.stringify({ server, hash, parts }));
    if (before !== undefined && before !== hash && !(await isServed(buckets, root, before, key))) {
      await forget(buckets.catalog, `${root}.${before}.>`);
    }
  }

  const timer = setInterval(beat, beatMs);
  return {
    publish(manifest) {
      offered = manifest;
      return publish(manifest);
    },
    beat,
    async close() {
      closed = true;
      clearInterval(timer);
      await buckets.workers.delete(key).catch(() => undefined);
    },
  };
}

/** NATS is there, and nobody on it answers for the bucket. */
function isGone(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}

async function lastKnownHash(buckets: WorkerBuckets, root: string): Promise<string | undefined> {
  const head = await buckets.catalog.get(`${root}.head`);
  const hash = head?.operation === 'PUT' ? readJsonObject(head.value)?.['hash'] : undefined;
  return typeof hash === 'string' ? hash : undefined;
}

/** Whether another living process still names that manifest: an ingress that starts now must be able to read it. */
async function isServed(buckets: WorkerBuckets, root: string, hash: string, except: string): Promise<boolean> {
  const keys: string[] = [];
  for await (const key of await buckets.workers.keys(`${root}.>`)) if (key !== except) keys.push(key);
  for (const key of keys) {
    const entry = await buckets.workers.get(key);
    if (entry?.operation === 'PUT' && readJsonObject(entry.value)?.['manifest'] === hash) return true;
  }
  return false;
}

async function forget(kv: KV, filter: string): Promise<void> {
  const keys: string[] = [];
  for await (const key of await kv.keys(filter)) keys.push(key);
  for (const key of keys) await kv.purge(key);
}

/** Removes all that is known of a server: it was taken out of the configuration. */
export async function forgetServer(buckets: Buckets, server: string): Promise<void> {
  await forget(buckets.catalog, `${token(server)}.>`);
}

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
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const late = now - lookedAt - lookMs;
    lookedAt = now;
    // This process stood still: heartbeats may be waiting unread.
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
