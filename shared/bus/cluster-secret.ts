import { randomBytes } from 'node:crypto';
import type { Buckets } from './buckets.ts';

const key = 'secret';

/**
 * The secret all processes of a cluster share: the configured one, else one that the first process mints and keeps in NATS KV.
 * `minted` tells the caller to warn: whoever can read that bucket can forge sessions and principals.
 */
export async function clusterSecret(
  buckets: Pick<Buckets, 'cluster'>,
  configured: string,
): Promise<{ secret: string; minted: boolean }> {
  if (configured !== '') return { secret: configured, minted: false };
  const known = await read(buckets);
  if (known !== undefined) return { secret: known, minted: true };
  try {
    const secret = randomBytes(32).toString('base64url');
    await buckets.cluster.create(key, secret);
    return { secret, minted: true };
  } catch (error) {
    // Another process was first.
    const secret = await read(buckets);
    if (secret === undefined) throw error;
    return { secret, minted: true };
  }
}

async function read(buckets: Pick<Buckets, 'cluster'>): Promise<string | undefined> {
  const entry = await buckets.cluster.get(key);
  return entry === null || entry.operation !== 'PUT' ? undefined : entry.string();
}
