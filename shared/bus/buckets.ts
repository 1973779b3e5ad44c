import { jetstream, StorageType } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { isBucketGone } from './jetstream-errors.ts';

/** The key-value buckets of one tenant. Everybody keeps what it needs in memory by watching; no call reads one. */
export interface Buckets {
  /** `<server>.<instance>` → InstanceStatus, rewritten every second. */
  readonly workers: KV;
  /** `<server>.head` and `<server>.<hash>.<part>` → manifests. */
  readonly catalog: KV;
  /** `s.<session>` → what a legacy session has set; `r.<session>` → it was ended. */
  readonly sessions: KV;
  /** `<server>.<uri digest>.<ingress>`, `<server>.task.<digest>.<ingress>` → somebody wants updates of this resource or task. */
  readonly interest: KV;
  /** The minted cluster secret. */
  readonly cluster: KV;
  /** `<kind>.<name>` → the last turn of the kill switch for it. */
  readonly blocks: KV;
  /** `<server>.<tool>` → the definition that agents may rely on. */
  readonly pins: KV;
  /** `<server>.<key>` → the instance that keeps the state of an agent or session. */
  readonly affinity: KV;
  /** Makes those anew that are gone: somebody deleted them, or NATS lost its store. Who follows one writes into it what it knows. */
  restore(): Promise<void>;
}

export const bucketTtl = {
  workersMs: 5_000,
  interestMs: 30_000,
  sessionsMs: 7 * 24 * 3_600_000,
  affinityMs: 7 * 24 * 3_600_000,
} as const;

/** Those that a worker may open: its NATS user can reach no other, and in these only the keys of its own server. */
export type WorkerBuckets = Pick<Buckets, 'workers' | 'catalog' | 'interest' | 'restore'>;

/** Does something with a bucket; where that is gone, once more after it was made anew. */
export async function withBucket<Value>(
  { restore }: Pick<Buckets, 'restore'>,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!isBucketGone(error)) throw error;
    await restore();
    return work();
  }
}

/** First part of the names of a tenant's buckets. */
export function bucketPrefixOf(tenant: string): string {
  return `toolbus_${tenant.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
}

/** Opens the buckets of a worker and makes the missing ones, replicated three times where NATS is a cluster. */
export async function openWorkerBuckets(nc: NatsConnection, tenant: string): Promise<WorkerBuckets> {
  const open = opener(nc, tenant);
  return restorable(async () => {
    const [workers, catalog, interest] = await Promise.all([
      open('workers', { ttl: bucketTtl.workersMs, storage: StorageType.File }),
      open('catalog', { storage: StorageType.File }),
      open('interest', { ttl: bucketTtl.interestMs, storage: StorageType.File }),
    ]);
    return { workers, catalog, interest };
  });
}

/** What `openAll` opens, and `restore` that opens it again. A KV is a name: those of before reach the new buckets. */
async function restorable<Opened extends object>(
  openAll: () => Promise<Opened>,
): Promise<Opened & Pick<Buckets, 'restore'>> {
  const opened = await openAll();
  let restoring: Promise<void> | undefined;
  return {
    ...opened,
    restore() {
      // Many notice at the same moment.
      restoring ??= openAll()
        .then(() => undefined)
        .finally(() => {
          restoring = undefined;
        });
      return restoring;
    },
  };
}

/** Opens the one that holds the minted secret; with the permissions that toolbus gives out, a worker cannot. */
export async function openClusterBucket(nc: NatsConnection, tenant: string): Promise<Pick<Buckets, 'cluster'>> {
  return { cluster: await opener(nc, tenant)('cluster', { storage: StorageType.File }) };
}

function opener(nc: NatsConnection, tenant: string) {
  const kvm = new Kvm(jetstream(nc));
  const replicas = nc.info?.cluster === undefined ? 1 : 3;
  const prefix = bucketPrefixOf(tenant);
  return async (name: string, options: { ttl?: number; storage: StorageType }): Promise<KV> => {
    const all = { history: 1, ...options };
    try {
      return await kvm.create(`${prefix}_${name}`, { ...all, replicas });
    } catch (error) {
      // A cluster of fewer than three JetStream nodes cannot hold three copies.
      if (replicas === 1) throw error;
      return kvm.create(`${prefix}_${name}`, { ...all, replicas: 1 });
    }
  };
}

/** Opens all buckets and makes the missing ones. */
export async function openBuckets(nc: NatsConnection, tenant: string): Promise<Buckets> {
  const open = opener(nc, tenant);
  return restorable(async () => {
    const [{ workers, catalog, interest }, sessions, cluster, blocks, affinity, pins] = await Promise.all([
      openWorkerBuckets(nc, tenant),
      open('sessions', { ttl: bucketTtl.sessionsMs, storage: StorageType.File }),
      open('cluster', { storage: StorageType.File }),
      open('blocks', { storage: StorageType.File }),
      open('affinity', { ttl: bucketTtl.affinityMs, storage: StorageType.File }),
      open('pins', { storage: StorageType.File }),
    ]);
    return { workers, catalog, sessions, interest, cluster, blocks, affinity, pins };
  });
}
