import { join } from 'node:path';
import { auditKeys } from '../../../shared/audit/keys.ts';
import type { EventName } from '../../../shared/audit/record.ts';
import { auditMarks, auditProbeSubject } from '../../../shared/bus/audit-marks.ts';
import { createAuditPublisher } from '../../../shared/bus/audit-publisher.ts';
import { auditStreamNames, auditStreams } from '../../../shared/bus/audit-stream.ts';
import type { Buckets } from '../../../shared/bus/buckets.ts';
import { type BusAddress, connectBus, nameOfBus } from '../../../shared/bus/connect.ts';
import { flushed } from '../../../shared/bus/flush.ts';
import type { Subjects } from '../../../shared/bus/subjects.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { createCheckpointer } from './checkpointer.ts';
import { eventEntry } from './entries.ts';
import { createRefusals } from './refusals.ts';
import { createToolRules } from './rules.ts';
import { createSpool } from './spool.ts';
import { lostSinceCheckpoint } from './start-check.ts';
import { createStreamKeeper, fileMarks } from './stream-keeper.ts';
import { createFollow, type Follow } from './trail.ts';
import { createAuditWriter, type WriterStatus } from './writer.ts';

export interface AuditOptions {
  /** Id of this process: its chain has this name. */
  readonly writer: string;
  readonly bus: BusAddress;
  readonly tenant: string;
  readonly subjects: Subjects;
  readonly buckets: Pick<Buckets, 'cluster'>;
  readonly clusterSecret: string;
  readonly dataDir: string;
  readonly log: Logger;
  config(): Config;
  /** Version of what a server offers now. */
  catalogVersion(server: string): string | undefined;
}

export interface AuditStatus extends WriterStatus {
  readonly required: boolean;
  /** Size of the stream and its limit. */
  readonly usage: { readonly bytes: number; readonly maxBytes: number } | undefined;
  /** Checkpoints that failed in a row. */
  readonly checkpointFailures: number;
}

/** What this process records. */
export interface Audit {
  readonly follow: Follow;
  /** Somebody was refused before a request was read. */
  refusedAtDoor(address: string, status: number, message: string): void;
  event(name: EventName, detail: JsonObject, actor?: string): void;
  readonly status: AuditStatus;
  /** Resolves when it is known whether the stream takes records: a listener that opens earlier refuses its first calls. */
  readonly opened: Promise<void>;
  close(): Promise<void>;
}

const dayMs = 86_400_000;
const doorReasons: ReadonlyMap<number, string> = new Map([
  [400, 'bad_request'],
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [413, 'too_large'],
  [415, 'media_type'],
]);

/** Begins to record; the streams are opened in the background. Throws OperatorError when NATS is unreachable. */
export async function openAudit(options: AuditOptions): Promise<Audit> {
  const { writer: id, bus, tenant, subjects, buckets, log, config } = options;
  const nc = await connectBus({ ...bus, name: `toolbus ingress ${id} audit`, log });
  const names = auditStreamNames(tenant);
  const streams = await auditStreams(nc);
  const publisher = createAuditPublisher(nc, bus.inboxPrefix);
  const keys = auditKeys(options.clusterSecret);
  const directory = join(options.dataDir, 'audit');
  const keeper = createStreamKeeper({
    streams,
    names,
    subjects: { records: subjects.audits(), checkpoints: subjects.checkpoints() },
    shared: auditMarks(buckets),
    local: fileMarks(join(directory, 'streams.json'), `${nameOfBus(bus)} ${names.records}`),
    log,
    limits() {
      const { maxBytes, maxAgeDays, replicas } = config().audit;
      return { maxBytes, maxAgeMs: maxAgeDays === undefined ? undefined : Math.round(maxAgeDays * dayMs), replicas };
    },
  });
  const spool = createSpool({ directory, writer: id, maxBytes: config().audit.spoolBytes, log });
  const isRequired = () => config().audit.mode === 'required';
  const writer = createAuditWriter({
    writer: id,
    subject: subjects.audit(id),
    stream: names.records,
    publisher,
    streams,
    keeper,
    spool,
    log,
    isRequired,
    probeSubject: auditProbeSubject(tenant),
  });
  const checkpointer = createCheckpointer({
    writer: id,
    subject: subjects.checkpoint(id),
    stream: names.checkpoints,
    publisher,
    streams,
    keys,
    log,
    head: () => writer.head,
    file: () => config().audit.checkpoints.file,
    everyMs: () => config().audit.checkpoints.everyMs,
  });
  void checkStart();
  const refusals = createRefusals(writer.note);
  const everySecond = setInterval(() => refusals.flush(), 1_000);
  everySecond.unref();
  const ruleOf = createToolRules(config, keys.hmac);

  /** Before the first checkpoint of this process hides it. */
  async function checkStart(): Promise<void> {
    try {
      if ((await keeper.check()).kind !== 'ready') return;
      const reason = await lostSinceCheckpoint({ streams, names, subjectOf: subjects.audit });
      if (reason === undefined) return;
      log.error({ alarm: 'audit_gap', reason }, 'the audit has lost records; `toolbus audit verify` names the first');
      writer.note(eventEntry('audit_gap', { reason }));
    } catch (error) {
      log.warn({ err: error }, 'the audit could not be looked at');
    }
  }

  return {
    follow: createFollow({ writer, refusals, ruleOf, catalogVersion: options.catalogVersion }),
    refusedAtDoor: (address, status, message) => {
      const reason = doorReasons.get(status);
      if (reason !== undefined) refusals.atDoor(address, reason, message, status);
    },
    opened: writer.opened,
    event: (name, detail, actor) => writer.note(eventEntry(name, detail, actor)),
    get status() {
      return {
        ...writer.status,
        required: isRequired(),
        usage: keeper.usage,
        checkpointFailures: checkpointer.failures,
      };
    },
    async close() {
      clearInterval(everySecond);
      refusals.flush();
      await writer.close();
      await checkpointer.close();
      publisher.close();
      await flushed(nc);
      await nc.close();
    },
  };
}
