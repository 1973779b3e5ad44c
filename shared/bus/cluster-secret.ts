import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Buckets } from './buckets.ts';
import { followBucket } from './follow.ts';

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

export interface KeepSecretOptions {
  readonly buckets: Pick<Buckets, 'cluster' | 'restore'>;
  /** The one that this process works with; undefined where it is configured, and does not belong into NATS. */
  readonly minted: string | undefined;
  readonly log: Logger;
}

/**
 * Sees to it that the bucket stays, and in it the minted secret: whoever starts later would mint another one. One that differs is never replaced, and this
 * process never takes it over: that is an alarm, and for an operator to decide.
 */
export function keepClusterSecret({ buckets, minted, log }: KeepSecretOptions): { close(): void } {
  let differs = false;

  function compare(stored: string): void {
    if (minted === undefined || stored === minted) {
      differs = false;
      return;
    }
    if (!differs) {
      log.error(
        { alarm: 'cluster_secret' },
        'the bucket "cluster" holds another secret than this process works with; whoever started with that one refuses its calls and sessions',
      );
    }
    differs = true;
  }

  return followBucket({
    kv: buckets.cluster,
    filter: key,
    restore: buckets.restore,
    log,
    onEntry(_key, value) {
      if (value !== undefined) compare(Buffer.from(value).toString('utf8'));
      else if (minted !== undefined) void writeAgain(minted);
    },
    onAnew() {
      log.warn('the bucket "cluster" was lost; it is there again');
      return minted === undefined ? [] : [[key, minted]];
    },
  });

  async function writeAgain(secret: string): Promise<void> {
    try {
      await buckets.cluster.create(key, secret);
      log.warn('the cluster secret was deleted, and has been written again');
    } catch (error) {
      // Another process was first, whose secret comes as an entry.
      log.debug({ err: error }, 'the cluster secret was not written again');
    }
  }
}

/**
 * The secret where there is one, for who only reads with it: one that was minted now would fit nothing that is there, and would take the place of the one
 * that an ingress is about to write again.
 */
export async function knownClusterSecret(
  buckets: Pick<Buckets, 'cluster'>,
  configured: string,
): Promise<string | undefined> {
  return configured === '' ? read(buckets) : configured;
}

async function read(buckets: Pick<Buckets, 'cluster'>): Promise<string | undefined> {
  const entry = await buckets.cluster.get(key);
  return entry === null || entry.operation !== 'PUT' ? undefined : entry.string();
}
