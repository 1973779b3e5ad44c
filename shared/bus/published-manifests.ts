import type { KV } from '@nats-io/kv';
import type { Manifest } from '../mcp/manifest.ts';
import type { Buckets } from './buckets.ts';
import { isConflict } from './jetstream-errors.ts';
import { readJsonObject } from './json-bytes.ts';
import { token } from './subjects.ts';

/** KV values share NATS' message limit (1 MiB by default), so a manifest is stored in parts. */
const partBytes = 512 * 1024;
/** Workers of one server with different manifests that come at the same moment. Who loses as often tries again later. */
const mostTries = 3;
/** What was written since then may belong to a worker that is about to name it. A worker that stood still longer writes it again. */
export const keepManifestMs = 60_000;

interface Publication {
  readonly manifest: Manifest;
  /** Of the bucket "workers": the entry of the worker that publishes. */
  readonly worker: string;
}

/**
 * Stores a manifest and makes it the server's last known one, where no other worker changes that at the same moment: then it looks again. Removes
 * those that nobody serves any more. Rejects when NATS does not store it.
 */
export async function publishManifest(
  buckets: Pick<Buckets, 'catalog' | 'workers'>,
  { manifest, worker }: Publication,
): Promise<void> {
  const { hash, ...rest } = manifest;
  const bytes = Buffer.from(JSON.stringify(rest), 'utf8');
  const parts = Math.max(1, Math.ceil(bytes.length / partBytes));
  const root = token(manifest.server);
  const head = JSON.stringify({ server: manifest.server, hash, parts });
  for (let tries = 1; ; tries += 1) {
    // Each time anew: whoever was first may have removed them.
    for (let n = 0; n < parts; n += 1) {
      await buckets.catalog.put(`${root}.${hash}.${n}`, bytes.subarray(n * partBytes, (n + 1) * partBytes));
    }
    const before = await buckets.catalog.get(`${root}.head`);
    if (before?.operation === 'PUT' && before.string() === head) return;
    try {
      await buckets.catalog.put(`${root}.head`, head, { previousSeq: before?.revision ?? 0 });
      break;
    } catch (error) {
      if (!isConflict(error) || tries === mostTries) throw error;
    }
  }
  await removeUnserved(buckets, root, hash, worker);
}

/** An ingress that starts now must be able to read what living processes name, and what they will name next. */
async function removeUnserved(
  buckets: Pick<Buckets, 'catalog' | 'workers'>,
  root: string,
  hash: string,
  worker: string,
): Promise<void> {
  const served = await hashesServed(buckets.workers, root, worker);
  const head = await buckets.catalog.get(`${root}.head`);
  // Another worker was here since: it does this.
  if (head?.operation !== 'PUT' || readJsonObject(head.value)?.['hash'] !== hash) return;
  const now = head.created.getTime();
  for (const key of await keysOf(buckets.catalog, `${root}.>`)) {
    const [, kept = '', part] = key.split('.');
    if (part === undefined || kept === 'era' || kept === hash || served.has(kept)) continue;
    const entry = await buckets.catalog.get(key);
    if (entry === null || now - entry.created.getTime() < keepManifestMs) continue;
    // Written again meanwhile: then it stays.
    await buckets.catalog.purge(key, { previousSeq: entry.revision }).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  }
}

async function hashesServed(workers: KV, root: string, except: string): Promise<ReadonlySet<unknown>> {
  const hashes = new Set<unknown>();
  for (const key of await keysOf(workers, `${root}.>`)) {
    if (key === except) continue;
    const entry = await workers.get(key);
    if (entry?.operation === 'PUT') hashes.add(readJsonObject(entry.value)?.['manifest']);
  }
  return hashes;
}

async function keysOf(kv: KV, filter: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of await kv.keys(filter)) keys.push(key);
  return keys;
}

/** Removes all that is known of a server: it was taken out of the configuration. */
export async function forgetServer({ catalog }: Pick<Buckets, 'catalog'>, server: string): Promise<void> {
  for (const key of await keysOf(catalog, `${token(server)}.>`)) await catalog.purge(key);
}
