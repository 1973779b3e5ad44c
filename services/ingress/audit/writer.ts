import type { AuditEntry, IntentEntry, OutcomeEntry } from '../../../shared/audit/record.ts';
import type { AuditPublisher } from '../../../shared/bus/audit-publisher.ts';
import type { AuditStreams } from '../../../shared/bus/audit-stream.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';
import { eventEntry, voidedEntry } from './entries.ts';
import { createGroupCommit, itemOf } from './group-commit.ts';
import { createRecovery } from './recovery.ts';
import { createSpill } from './spill.ts';
import type { Spool } from './spool.ts';
import { createSpoolShipping } from './spool-shipping.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import { describe, watchStream } from './stream-watch.ts';
import { createWriterState, type WriterState } from './writer-state.ts';

/** Records what happens, and says when it is recorded. */
export interface AuditWriter {
  /**
   * Resolves when the intent is in the stream. Rejects with `audit_unavailable`: then the call must not start. With `best-effort` it is undefined:
   * there is nothing to wait for. `hasOutcome`: the call has ended by itself before this was known, and its outcome was handed over.
   */
  intent(entry: IntentEntry, hasOutcome: () => boolean): Promise<void> | undefined;
  /** Resolves when the outcome is in the stream, or on the disk. Rejects with `audit_outcome_lost` when it is nowhere. With `best-effort`: undefined. */
  outcome(entry: OutcomeEntry): Promise<void> | undefined;
  /** What nobody waits for: refusals and events. */
  note(entry: AuditEntry): void;
  readonly status: WriterStatus;
  /** Resolves when it is known whether the stream takes records. Until then intents are refused. */
  readonly opened: Promise<void>;
  /** Last record that is known to be in the stream. */
  readonly head: { readonly seq: number; readonly hash: string };
  /** Waits for what is on its way, for a second at most. */
  close(): Promise<void>;
}

export interface WriterStatus {
  readonly state: WriterState['now'];
  /** Why it is not recording. */
  readonly reason: string | undefined;
  /** Entries that are on the disk and not yet in the stream. */
  readonly spooled: number;
  readonly recorded: number;
  readonly packs: number;
  /** Intents refused because nothing recorded. */
  readonly refused: number;
  /** Entries that are nowhere. */
  readonly lost: number;
  /** Of the last pack, in milliseconds. */
  readonly ackMs: number;
}

export interface WriterOptions {
  readonly writer: string;
  readonly subject: string;
  readonly stream: string;
  readonly publisher: AuditPublisher;
  readonly streams: AuditStreams;
  readonly keeper: StreamKeeper;
  readonly spool: Spool;
  readonly log: Logger;
  isRequired(): boolean;
  /** A subject of a small stream on the same NATS, written to now and then while there are no calls: does NATS still store? */
  readonly probeSubject: string;
}

const closeMs = 1_000;
const noop = (): void => undefined;

/** Begins to record as soon as the stream is there. */
export function createAuditWriter(options: WriterOptions): AuditWriter {
  const { writer, subject, stream, publisher, streams, keeper, spool, log, isRequired, probeSubject } = options;
  const state = createWriterState({ log, isRequired, isConnected: () => publisher.connected });
  const spill = createSpill({ spool, state, log });
  let lastStreamSeq = 0;

  const commit = createGroupCommit({
    writer,
    subject,
    publisher,
    onStored(streamSeq, records, tookMs) {
      state.stored(records, tookMs);
      watch.noteStored();
      // Places are given out upwards: a lower one belongs to a stream that lost its end, or is another stream.
      if (streamSeq !== Number.POSITIVE_INFINITY) {
        if (streamSeq <= lastStreamSeq) onLostTail(streamSeq);
        lastStreamSeq = streamSeq;
      }
      if (state.now === 'broken') record();
    },
    onRefused(ack) {
      recovery.noteRefused(ack.kind === 'no_stream' || ack.code !== 0);
      onBroken(describe(ack));
    },
  });
  const recovery = createRecovery({ stream, subject, publisher, streams, keeper, commit, state, log });
  const shipping = createSpoolShipping({ stream, subject, streams, commit, spool, state, log });
  const watch = watchStream({
    writer,
    probeSubject,
    publisher,
    keeper,
    state,
    oldest: () => commit.oldest,
    onBroken,
    onDue: () => void recovery.tryAgain(),
    onShip: () => spool.pending > 0 && void shipping.ship(),
    onSweep: spill.expire,
  });
  publisher.onConnection((connected) => {
    if (connected) state.hurry();
    else if (state.now === 'recording') onBroken('NATS is not reachable');
  });
  const opened = open();

  async function open(): Promise<void> {
    const found = await keeper.check();
    if (state.now !== 'opening') return;
    if (found.kind === 'ready') record();
    else onBroken(found.kind === 'opening' ? 'the audit stream is being opened' : found.reason);
  }

  function record(): void {
    recovery.noteRefused(false);
    state.recording();
    commit.resume();
    const unsaid = state.unsaid();
    if (unsaid !== undefined) note(eventEntry('audit_gap', unsaid));
    void shipping.ship();
  }

  function onBroken(why: string): void {
    if (state.now === 'closed') return;
    watch.forgetProbe();
    if (state.broken(why)) commit.pause();
    commit.giveUp();
  }

  function onLostTail(streamSeq: number): void {
    log.error(
      { alarm: 'audit_gap', streamSeq, lastStreamSeq },
      'the audit stream has lost records that it had acknowledged; `toolbus audit verify` names the first',
    );
    note(eventEntry('audit_gap', { reason: 'the stream has lost acknowledged records', streamSeq, lastStreamSeq }));
    void keeper.check().then((found) => {
      if (found.kind === 'missing') onBroken(found.reason);
    });
  }

  /** To the stream; to the disk when the stream does not take it. What is on the disk and turns out to be in the stream is forgotten there. */
  function push(entry: AuditEntry, onRecorded: () => void, onLost?: (error: unknown) => void): void {
    const json = JSON.stringify(entry);
    const toDisk = () => void spill.put(entry, json, onLost !== undefined).then(onRecorded, onLost ?? noop);
    let spilled = false;
    const item = itemOf(
      json,
      () => {
        if (spilled) spool.forget(entry.id);
        onRecorded();
      },
      () => {
        spilled = true;
        toDisk();
      },
    );
    if (state.now === 'broken' || state.now === 'closed' || !commit.push(item)) toDisk();
  }

  function note(entry: AuditEntry): void {
    push(entry, noop);
  }

  return {
    opened,
    intent(entry, hasOutcome) {
      if (!isRequired()) {
        note(entry);
        return undefined;
      }
      if (state.now === 'broken' || state.now === 'closed') return Promise.reject(state.refuse());
      return new Promise((resolve, reject) => {
        let refused = false;
        const onGivenUp = () => {
          refused = true;
          reject(state.refuse());
        };
        const item = itemOf(
          JSON.stringify(entry),
          // It was too late: the call has been refused, and its record must not stand as if it might have run.
          () => (refused && !hasOutcome() ? note(voidedEntry(entry)) : resolve()),
          onGivenUp,
        );
        if (!commit.push(item)) onGivenUp();
      });
    },
    outcome(entry) {
      if (!isRequired()) {
        note(entry);
        return undefined;
      }
      return new Promise((resolve, reject) => push(entry, resolve, (cause) => reject(outcomeLost(cause))));
    },
    note,
    get status() {
      return { state: state.now, reason: state.reason, spooled: spool.pending, ...state.counts };
    },
    get head() {
      return commit.head;
    },
    async close() {
      const end = performance.now() + closeMs;
      while (state.now === 'recording' && commit.waiting > 0 && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      watch.close();
      state.closed();
      commit.pause();
      commit.giveUp();
      // A disk that hangs must not keep the process.
      await Promise.race([spool.close(), new Promise((resolve) => setTimeout(resolve, closeMs).unref())]);
    },
  };
}

function outcomeLost(cause: unknown): GatewayError {
  return new GatewayError('audit_outcome_lost', 'the tool ran, and that could not be recorded anywhere', { cause });
}
