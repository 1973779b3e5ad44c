import { jetstream, StorageType } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

/** The key-value buckets of one tenant. Everybody keeps what it needs in memory by watching; no call reads one. */
export interface Buckets {
  /** `<server>.<instance>` → InstanceStatus, rewritten every second. */
  readonly workers: KV;
  /** `<server>.head` and `<server>.<hash>.<part>` → manifests. */
  readonly catalog: KV;
  /** `s.<session>` → what a legacy session has set; `r.<session>` → it was ended. */
  readonly sessions: KV;
  /** `<server>.<uri digest>.<ingress>` → somebody wants updates of this resource. */
  readonly interest: KV;
  /** The minted cluster secret. */
  readonly cluster: KV;
}

export const bucketTtl = {
  workersMs: 5_000,
  interestMs: 30_000,
  sessionsMs: 7 * 24 * 3_600_000,
} as const;

/** Opens the buckets and makes the missing ones, replicated three times where NATS is a cluster. */
export async function openBuckets(nc: NatsConnection, tenant: string): Promise<Buckets> {
  const kvm = new Kvm(jetstream(nc));
  const replicas = nc.info?.cluster === undefined ? 1 : 3;
  const prefix = `toolbus_${tenant.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
  const open = async (name: string, options: { ttl?: number; storage: StorageType }): Promise<KV> => {
    const all = { history: 1, ...options };
    try {
      return await kvm.create(`${prefix}_${name}`, { ...all, replicas });
    } catch (error) {
      // A cluster of fewer than three JetStream nodes cannot hold three copies.
      if (replicas === 1) throw error;
      return kvm.create(`${prefix}_${name}`, { ...all, replicas: 1 });
    }
  };
  const [workers, catalog, sessions, interest, cluster] = await Promise.all([
    open('workers', { ttl: bucketTtl.workersMs, storage: StorageType.File }),
    open('catalog', { storage: StorageType.File }),
    open('sessions', { ttl: bucketTtl.sessionsMs, storage: StorageType.File }),
    open('interest', { ttl: bucketTtl.interestMs, storage: StorageType.File }),
    open('cluster', { storage: StorageType.File }),
  ]);
  return { workers, catalog, sessions, interest, cluster };
}
