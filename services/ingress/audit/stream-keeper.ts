import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditMarks } from '../../../shared/bus/audit-marks.ts';
import {
  type AuditStreamFacts,
  type AuditStreamNames,
  type AuditStreams,
  checkpointLimits,
  type StreamLimits,
} from '../../../shared/bus/audit-stream.ts';
import type { Logger } from '../../../shared/log.ts';

/** Remembers outside of the streams that they exist, by the moment each was made. */
export interface StreamMarks {
  get(): Promise<StreamMark | undefined>;
  put(mark: StreamMark): Promise<void>;
}

export interface StreamMark {
  readonly created: string;
}

export type KeeperState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'ready' }
  /** There was a stream, and it is gone or another one. */
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

export interface StreamKeeperOptions {
  readonly streams: AuditStreams;
  readonly names: AuditStreamNames;
  readonly subjects: { readonly records: string; readonly checkpoints: string };
  /** In NATS, so that every ingress knows. */
  readonly shared: Pick<AuditMarks, 'get' | 'first'>;
  /** In the data directory, so that a NATS that lost everything is noticed too. */
  readonly local: StreamMarks;
  readonly log: Logger;
  limits(): StreamLimits;
}

/** Makes the streams once, and never again: a stream that vanished is an alarm that an operator must answer. */
export interface StreamKeeper {
  readonly state: KeeperState;
  /** Size of the stream of records when it was last looked at. */
  readonly usage: { readonly bytes: number; readonly maxBytes: number } | undefined;
  /** Looks at the streams; makes them where there never were any. Never rejects. */
  check(): Promise<KeeperState>;
}

/** Full enough to wake somebody. */
export const alarmShare = 0.8;

export function createStreamKeeper(options: StreamKeeperOptions): StreamKeeper {
  const { streams, names, subjects, shared, local, log, limits } = options;
  let state: KeeperState = { kind: 'opening' };
  let usage: { bytes: number; maxBytes: number } | undefined;
  let alarmed = false;
  let checking: Promise<KeeperState> | undefined;

  async function look(): Promise<KeeperState> {
    const [records, checkpoints, localMark] = await Promise.all([
      streams.inspect(names.records),
      streams.inspect(names.checkpoints),
      local.get(),
    ]);
    // Asked for by itself: what it is kept in may be lost together with the stream.
    if (records === undefined && localMark !== undefined) return missing(`the stream ${names.records} was deleted`);
    const sharedMark = await shared.get();
    if (records === undefined) {
      if (sharedMark !== undefined) return missing(`the stream ${names.records} was deleted`);
      if (checkpoints !== undefined && checkpoints.lastSeq > 0)
        return missing(`the stream ${names.records} was deleted; its checkpoints are there`);
    }
    const [made] = await Promise.all([
      ensure(names.records, subjects.records, limits(), records),
      ensure(names.checkpoints, subjects.checkpoints, checkpointLimits(limits()), checkpoints),
    ]);
    const { created } = made;
    if (sharedMark === undefined && localMark !== undefined && localMark.created !== created)
      return missing(`the stream ${names.records} was deleted; this one was made at ${created}`);
    const noted = sharedMark ?? (await shared.first({ created }));
    if (noted.created !== created)
      return missing(`the stream ${names.records} is another one than before, made at ${created}`);
    if (localMark?.created !== created) {
      await local
        .put({ created })
        .catch((error: unknown) => log.warn({ err: error }, 'cannot note the audit stream here'));
    }
    measure(made);
    return { kind: 'ready' };
  }

  async function ensure(
    name: string,
    subject: string,
    { maxBytes, maxAgeMs, replicas }: StreamLimits,
    facts: AuditStreamFacts | undefined,
  ): Promise<AuditStreamFacts> {
    const settings = { name, subject, maxBytes, maxAgeMs, replicas };
    return facts === undefined ? streams.create(settings) : streams.adjust(settings, facts);
  }

  function measure({ bytes, maxBytes }: AuditStreamFacts): void {
    usage = { bytes, maxBytes };
    const isHigh = bytes >= maxBytes * alarmShare;
    if (isHigh && !alarmed) {
      log.error(
        { bytes, maxBytes, alarm: 'audit_nearly_full' },
        'the audit stream is more than 80 % full; calls stop when it is full',
      );
    }
    alarmed = isHigh;
  }

  function enter(next: KeeperState): KeeperState {
    if (next.kind === 'missing' && state.kind !== 'missing') {
      log.error(
        { alarm: 'audit_gap', reason: next.reason },
        'the audit stream is not the one that was written to; nothing is recorded until an operator runs `toolbus audit accept-loss`',
      );
    } else if (next.kind === 'failed' && state.kind !== 'failed') {
      log.error({ reason: next.reason }, 'the audit stream cannot be used');
    }
    state = next;
    return next;
  }

  return {
    get state() {
      return state;
    },
    get usage() {
      return usage;
    },
    check() {
      checking ??= look()
        .catch((error: unknown): KeeperState => ({ kind: 'failed', reason: messageOf(error) }))
        .then(enter)
        .finally(() => {
          checking = undefined;
        });
      return checking;
    },
  };
}

const missing = (reason: string): KeeperState => ({ kind: 'missing', reason });

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Marks in a file. */
export function fileMarks(path: string, stream: string): StreamMarks {
  const read = async (): Promise<Record<string, unknown>> => {
    try {
      const value: unknown = JSON.parse(await readFile(path, 'utf8'));
      return typeof value === 'object' && value !== null ? { ...value } : {};
    } catch {
      return {};
    }
  };
  return {
    async get() {
      const created = (await read())[stream];
      return typeof created === 'string' ? { created } : undefined;
    },
    async put({ created }) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, `${JSON.stringify({ ...(await read()), [stream]: created })}\n`, { mode: 0o600 });
    },
  };
}
