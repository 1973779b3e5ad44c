import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamInfo,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { isStreamMissing } from './jetstream-errors.ts';
import { token } from './subjects.ts';

/** Names of the two streams of a tenant's audit. */
export interface AuditStreamNames {
  readonly records: string;
  readonly checkpoints: string;
}

export function auditStreamNames(tenant: string): AuditStreamNames {
  const suffix = token(tenant);
  return { records: `TOOLBUS_AUDIT_${suffix}`, checkpoints: `TOOLBUS_CHECKPOINTS_${suffix}` };
}

export interface StreamLimits {
  readonly maxBytes: number;
  /** Absent: kept for ever. */
  readonly maxAgeMs?: number | undefined;
  /** Copies; absent: three where NATS is a cluster, else one. */
  readonly replicas?: number | undefined;
}

export interface AuditStreamSettings extends StreamLimits {
  readonly name: string;
  /** One wildcard subject. */
  readonly subject: string;
}

/** Checkpoints need a small part of what records need. */
const checkpointShare = 16;
const leastCheckpointBytes = 8 * 1024 * 1024;

/** Limits of the stream of checkpoints beside one of records. */
export function checkpointLimits({ maxBytes, maxAgeMs, replicas }: StreamLimits): StreamLimits {
  return { maxBytes: Math.max(leastCheckpointBytes, Math.floor(maxBytes / checkpointShare)), maxAgeMs, replicas };
}

export interface AuditStreamFacts {
  readonly name: string;
  /** When it was made: tells it from a later stream of the same name. */
  readonly created: string;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly messages: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly replicas: number;
}

/** Beyond this, a message published again is recognised by its place in the chain instead of its id. */
const duplicateWindowMs = 120_000;

/** Management of the audit's streams on one connection. Each method asks NATS; `timeoutMs` holds for each. */
export interface AuditStreams {
  /** Undefined when there is no such stream. */
  inspect(name: string): Promise<AuditStreamFacts | undefined>;
  /** Makes a stream that neither deletes nor forgets: full means that it takes no more. Fails where one with other settings exists. */
  create(settings: AuditStreamSettings): Promise<AuditStreamFacts>;
  /** Gives a stream other limits where they differ. */
  adjust(settings: AuditStreamSettings, facts: AuditStreamFacts): Promise<AuditStreamFacts>;
  /** The last message of a subject, or of the whole stream. */
  last(name: string, subject?: string): Promise<StoredMessage | undefined>;
}

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

export async function auditStreams(nc: NatsConnection, timeoutMs = 2_000): Promise<AuditStreams> {
  const jsm = await jetstreamManager(nc, { timeout: timeoutMs, checkAPI: false });
  const inspect = async (name: string): Promise<AuditStreamFacts | undefined> => {
    try {
      return factsOf(await jsm.streams.info(name));
    } catch (error) {
      if (isStreamMissing(error)) return undefined;
      throw error;
    }
  };
  return {
    inspect,
    create: (settings) => create(jsm, nc, settings),
    async adjust(settings, facts) {
      const { maxBytes, maxAgeMs = 0 } = settings;
      if (facts.maxBytes === maxBytes && facts.maxAgeMs === maxAgeMs) return facts;
      return factsOf(await jsm.streams.update(settings.name, { max_bytes: maxBytes, max_age: nanos(maxAgeMs) }));
    },
    async last(name, subject) {
      let query: { last_by_subj: string } | { seq: number };
      if (subject === undefined) {
        const facts = await inspect(name);
        if (facts === undefined || facts.messages === 0) return undefined;
        query = { seq: facts.lastSeq };
      } else query = { last_by_subj: subject };
      const message = await jsm.streams.getMessage(name, query);
      return message === null ? undefined : { seq: message.seq, subject: message.subject, data: message.data };
    },
  };
}

async function create(
  jsm: JetStreamManager,
  nc: NatsConnection,
  settings: AuditStreamSettings,
): Promise<AuditStreamFacts> {
  const { name, subject, maxBytes, maxAgeMs = 0 } = settings;
  const add = (replicas: number) =>
    jsm.streams.add({
      name,
      subjects: [subject],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_bytes: maxBytes,
      max_age: nanos(maxAgeMs),
      num_replicas: replicas,
      duplicate_window: nanos(maxAgeMs > 0 ? Math.min(maxAgeMs, duplicateWindowMs) : duplicateWindowMs),
      deny_delete: true,
      deny_purge: true,
      allow_rollup_hdrs: false,
      compression: StoreCompression.S2,
    });
  if (settings.replicas !== undefined) return factsOf(await add(settings.replicas));
  if (nc.info?.cluster === undefined) return factsOf(await add(1));
  try {
    return factsOf(await add(3));
  } catch {
    // A cluster of fewer than three JetStream nodes cannot hold three copies.
    return factsOf(await add(1));
  }
}

function factsOf({ config, created, state }: StreamInfo): AuditStreamFacts {
  return {
    name: config.name,
    created,
    bytes: state.bytes,
    maxBytes: config.max_bytes,
    maxAgeMs: config.max_age / 1_000_000,
    messages: state.messages,
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    replicas: config.num_replicas,
  };
}
