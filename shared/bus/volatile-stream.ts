import { type JetStreamManager, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';

/** What is worth minutes and not a disk: kept in the memory of NATS, the oldest thrown away first. */
export interface VolatileStreamOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly name: string;
  readonly subjects: readonly string[];
  readonly maxBytes: number;
  /** One subject keeps at most this many messages. */
  readonly maxPerSubject?: number;
}

/** How long a volatile stream remembers. */
export const volatileMs = 5 * 60_000;

export interface StreamState {
  /** When the stream was made; positions of another making mean nothing. */
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface VolatileStream {
  readonly name: string;
  /** Makes the stream where it is missing. Throws what NATS throws. */
  ensure(): Promise<StreamState>;
  manager(): Promise<JetStreamManager>;
  /** Calls back whenever the connection was lost and is back: a NATS without cluster has then forgotten the stream. */
  onReconnect(listener: () => void): void;
  close(): void;
}

/** First part of the names of a tenant's streams, which allow fewer characters than its subjects. */
function nameOf(tenant: string): string {
  return tenant.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

export function volatileName(tenant: string, what: string): string {
  return `toolbus_${nameOf(tenant)}_${what}`;
}

export function createVolatileStream(options: VolatileStreamOptions): VolatileStream {
  const { nc, log, name } = options;
  const listeners = new Set<() => void>();
  let manager: Promise<JetStreamManager> | undefined;
  let closed = false;

  const managerOf = () => {
    manager ??= jetstreamManager(nc, { checkAPI: false });
    return manager;
  };

  async function add(replicas: number): Promise<StreamState> {
    const jsm = await managerOf();
    const { created, state } = await jsm.streams.add({
      name,
      subjects: [...options.subjects],
      storage: StorageType.Memory,
      retention: RetentionPolicy.Limits,
      // Nanoseconds.
      max_age: volatileMs * 1e6,
      max_bytes: options.maxBytes,
      ...(options.maxPerSubject === undefined ? {} : { max_msgs_per_subject: options.maxPerSubject }),
      allow_direct: true,
      // Nobody waits for an acknowledgement.
      no_ack: true,
      num_replicas: replicas,
    });
    return { epoch: created, firstSeq: state.first_seq, lastSeq: state.last_seq };
  }

  void (async () => {
    for await (const status of nc.status()) {
      if (closed) return;
      if (status.type !== 'reconnect') continue;
      for (const listener of listeners) listener();
    }
  })();

  return {
    name,
    async ensure() {
      const replicas = nc.info?.cluster === undefined ? 1 : 3;
      try {
        return await add(replicas);
      } catch (error) {
        // A cluster of fewer than three JetStream nodes cannot hold three copies.
        if (replicas === 1) throw error;
        log.debug({ err: error, stream: name }, 'no three copies of this stream; making one');
        return add(1);
      }
    },
    manager: managerOf,
    onReconnect: (listener) => void listeners.add(listener),
    close() {
      closed = true;
      listeners.clear();
    },
  };
}
