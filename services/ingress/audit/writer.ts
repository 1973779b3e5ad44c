import { decodePack } from '../../../shared/audit/pack.ts';
import type { AuditEntry, IntentEntry, OutcomeEntry } from '../../../shared/audit/record.ts';
import type { AuditPublisher, PublishAck } from '../../../shared/bus/audit-publisher.ts';
import type { AuditStreams } from '../../../shared/bus/audit-stream.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';
import { eventEntry, voidedEntry } from './entries.ts';
import { createGroupCommit, type Item } from './group-commit.ts';
import type { Spool, SpooledEntry } from './spool.ts';
import type { StreamKeeper } from './stream-keeper.ts';

/** Records what happens, and says when it is recorded. */
export interface AuditWriter {
  /**
   * Resolves when the intent is in the stream. Rejects with `audit_unavailable`: then the call must not start. With `best-effort` it is undefined:
   * there is nothing to wait for.
   */
  intent(entry: IntentEntry): Promise<void> | undefined;
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
  readonly state: 'opening' | 'recording' | 'broken' | 'closed';
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

/** What is not acknowledged within this time counts as not recorded. */
const ackMs = 500;
const sweepMs = 50;
/** How long a broken stream is left alone between two tries; doubled up to the second. */
const againMs = [250, 2_000] as const;
const closeMs = 1_000;
/** How often the streams are looked at, and how long there are no calls before a probe is written. */
const lookMs = 10_000;
const idleMs = 5_000;
/** What came to the disk while it was being shipped is looked for again after this time. */
const shipMs = 1_000;
const noop = (): void => undefined;

export function createAuditWriter(options: WriterOptions): AuditWriter {
  const { writer, subject, stream, publisher, streams, keeper, spool, log, isRequired, probeSubject } = options;
  let state: WriterStatus['state'] = 'opening';
  let reason: string | undefined = 'the audit stream is being opened';
  let brokenSince: string | undefined;
  let tryAt = 0;
  let pauseMs: number = againMs[0];
  let trying = false;
  let shipping = false;
  let lastStreamSeq = 0;
  let lastSweep = performance.now();
  let lookAt = lastSweep + lookMs;
  let lastStored = lastSweep;
  /** By the stream, and not by silence: its limits or the stream itself may be the cause. */
  let wasRefused = false;
  let probedAt: number | undefined;
  let shipAt = 0;
  let hasAdopted = false;
  const count = { recorded: 0, packs: 0, refused: 0, lost: 0, ackMs: 0 };
  /** What happened since it broke, for the record that says so. */
  let missed = { refused: 0, spooled: 0, lost: 0 };

  const commit = createGroupCommit({
    writer,
    subject,
    publisher,
    onStored(streamSeq, records, tookMs) {
      count.recorded += records;
      count.packs += 1;
      count.ackMs = tookMs;
      lastStored = performance.now();
      // Places are given out upwards: a lower one belongs to a stream that lost its end, or is another stream.
      if (streamSeq !== Number.POSITIVE_INFINITY) {
        if (streamSeq <= lastStreamSeq) onLostTail(streamSeq);
        lastStreamSeq = streamSeq;
      }
      if (state === 'broken') becomeHealthy();
    },
    onRefused(ack) {
      wasRefused = ack.kind === 'no_stream' || ack.code !== 0;
      becomeBroken(describe(ack));
    },
  });
  const sweeper = setInterval(sweep, sweepMs);
  sweeper.unref();
  publisher.onConnection((connected) => {
    if (connected) tryAt = 0;
    else if (state === 'recording') becomeBroken('NATS is not reachable');
  });
  const opened = open();

  async function open(): Promise<void> {
    const opened = await keeper.check();
    if (state !== 'opening') return;
    if (opened.kind !== 'ready') {
      becomeBroken(opened.kind === 'opening' ? 'the audit stream is being opened' : opened.reason);
      return;
    }
    state = 'recording';
    reason = undefined;
    commit.resume();
    void ship();
  }

  /** Ids in the last pack of a writer: the only one that may be stored without its writer having known. */
  async function lastIds(ended: string): Promise<ReadonlySet<string>> {
    const last = await streams.last(stream, subject.slice(0, subject.lastIndexOf('.') + 1) + ended);
    const lines = last === undefined ? [] : (decodePack(last.data)?.lines ?? []);
    return new Set(lines.flatMap((line) => /"id":"([^"]+)"/.exec(line)?.[1] ?? []));
  }

  function sweep(): void {
    const now = performance.now();
    const stall = now - lastSweep - sweepMs;
    lastSweep = now;
    // This process stood still: acknowledgements may be waiting unread.
    if (stall > ackMs / 2) return;
    const { oldest } = commit;
    if (oldest !== undefined && now - oldest > ackMs) becomeBroken(`no acknowledgement within ${ackMs} ms`);
    if (state === 'broken' && now >= tryAt && !trying) void tryAgain();
    if (state === 'recording') watch(now);
  }

  function watch(now: number): void {
    if (spool.pending > 0 && now >= shipAt) {
      shipAt = now + shipMs;
      void ship();
    }
    if (probedAt !== undefined && now - probedAt > ackMs) {
      probedAt = undefined;
      becomeBroken(`NATS stored nothing within ${ackMs} ms`);
    } else if (probedAt === undefined && now - lastStored > idleMs && commit.oldest === undefined) probe(now);
    if (now < lookAt) return;
    lookAt = now + lookMs;
    void keeper.check().then((found) => {
      if (found.kind === 'missing' && state === 'recording') becomeBroken(found.reason);
    });
  }

  function probe(now: number): void {
    probedAt = now;
    const sent = publisher.publish(probeSubject, '', { id: `${writer}:probe:${now}` }, (ack) => {
      probedAt = undefined;
      lastStored = performance.now();
      if (ack.kind !== 'stored' && state === 'recording') becomeBroken(describe(ack));
    });
    if (sent === undefined) probedAt = undefined;
  }

  function becomeBroken(why: string): void {
    if (state === 'closed') return;
    reason = why;
    probedAt = undefined;
    if (state !== 'broken') {
      state = 'broken';
      brokenSince = new Date().toISOString();
      missed = { refused: 0, spooled: 0, lost: 0 };
      pauseMs = againMs[0];
      log.error({ alarm: 'audit_unavailable', reason: why, required: isRequired() }, 'the audit does not record');
      commit.pause();
    }
    tryAt = performance.now() + pauseMs;
    pauseMs = Math.min(pauseMs * 2, againMs[1]);
    commit.giveUp();
  }

  function becomeHealthy(): void {
    wasRefused = false;
    state = 'recording';
    reason = undefined;
    log.warn({ since: brokenSince, ...missed }, 'the audit records again');
    commit.resume();
    void ship();
  }

  /** Finds out what became of the pack on its way; where there is none, sends a record that says how long nothing was recorded. */
  async function tryAgain(): Promise<void> {
    trying = true;
    try {
      if (!publisher.connected) return;
      // The operator may have given the stream more room, or answered for a lost one.
      const found = wasRefused || keeper.state.kind !== 'ready' ? await keeper.check() : keeper.state;
      if (found.kind !== 'ready') {
        if (found.kind === 'missing' || found.kind === 'failed') reason = found.reason;
        return;
      }
      const { flight } = commit;
      if (flight === undefined) {
        const detail = { since: brokenSince ?? '', reason: reason ?? '', ...missed };
        commit.sendAlone([itemOf(JSON.stringify(eventEntry('audit_gap', detail)), noop, noop)]);
        return;
      }
      const last = await streams.last(stream, subject);
      const header = last === undefined ? undefined : decodePack(last.data)?.header;
      if (commit.flight !== flight) return;
      if (header?.seq === flight.seq && header.hash === flight.hash) commit.confirm();
      else commit.again();
    } catch (error) {
      log.debug({ err: error }, 'the audit stream does not answer');
    } finally {
      trying = false;
      if (state === 'broken') {
        tryAt = performance.now() + pauseMs;
        pauseMs = Math.min(pauseMs * 2, againMs[1]);
      }
    }
  }

  function onLostTail(streamSeq: number): void {
    log.error(
      { alarm: 'audit_gap', streamSeq, lastStreamSeq },
      'the audit stream has lost records that it had acknowledged; `toolbus audit verify` names the first',
    );
    note(eventEntry('audit_gap', { reason: 'the stream has lost acknowledged records', streamSeq, lastStreamSeq }));
    void keeper.check().then((found) => {
      if (found.kind === 'missing') becomeBroken(found.reason);
    });
  }

  async function ship(): Promise<void> {
    if (shipping) return;
    shipping = true;
    try {
      if (!hasAdopted) await spool.adopt(lastIds);
      hasAdopted = true;
      await spool.ship(store);
    } catch (error) {
      if (state === 'recording') log.error({ err: error }, 'spooled audit records cannot be shipped');
    } finally {
      shipping = false;
    }
  }

  /** Puts a spooled entry into the stream; it stays in the spool until this resolves. */
  function store({ id, json }: SpooledEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      let late = false;
      const item = itemOf(
        json,
        () => {
          if (late) spool.forget(id);
          resolve();
        },
        () => {
          late = true;
          reject(new Error('not recorded yet'));
        },
      );
      if (state !== 'recording' || !commit.push(item)) reject(new Error('not recording'));
    });
  }

  function itemOf(json: string, onStored: () => void, onGivenUp: (isDoubtful: boolean) => void): Item {
    return { json, since: performance.now(), givenUp: false, onStored, onGivenUp };
  }

  /** To the disk. */
  async function spill(entry: AuditEntry, json: string): Promise<void> {
    try {
      await spool.append(entry.id, json, entry.kind === 'outcome');
      missed.spooled += 1;
    } catch (error) {
      missed.lost += 1;
      count.lost += 1;
      log.error(
        { err: error, alarm: 'audit_lost', id: entry.id },
        'an audit record is neither in the stream nor on the disk',
      );
      throw error;
    }
  }

  /** To the stream; to the disk when the stream does not take it. What is on the disk and turns out to be in the stream is forgotten there. */
  function push(entry: AuditEntry, onRecorded: () => void, onLost: (error: unknown) => void): void {
    const json = JSON.stringify(entry);
    const toDisk = () => void spill(entry, json).then(onRecorded, onLost);
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
    if (state === 'broken' || state === 'closed' || !commit.push(item)) toDisk();
  }

  function refusedIntent(): GatewayError {
    missed.refused += 1;
    count.refused += 1;
    if (!publisher.connected) {
      return new GatewayError('broker_unavailable', 'the message bus is not reachable', { retryAfterMs: 1_000 });
    }
    return new GatewayError('audit_unavailable', 'calls are not recorded now, so none is started', {
      retryAfterMs: 1_000,
    });
  }

  function note(entry: AuditEntry): void {
    push(entry, noop, noop);
  }

  return {
    opened,
    intent(entry) {
      if (!isRequired()) {
        note(entry);
        return undefined;
      }
      if (state === 'broken' || state === 'closed') return Promise.reject(refusedIntent());
      return new Promise((resolve, reject) => {
        let refused = false;
        const onGivenUp = () => {
          refused = true;
          reject(refusedIntent());
        };
        const item = itemOf(
          JSON.stringify(entry),
          // It was too late: the call has been refused, and its record must not stand as if it might have run.
          () => (refused ? note(voidedEntry(entry)) : resolve()),
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
      return { state, reason, spooled: spool.pending, ...count };
    },
    get head() {
      return commit.head;
    },
    async close() {
      const end = performance.now() + closeMs;
      while (state === 'recording' && commit.waiting > 0 && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      clearInterval(sweeper);
      state = 'closed';
      reason = 'closed';
      commit.pause();
      commit.giveUp();
      await spool.close();
    },
  };
}

function outcomeLost(cause: unknown): GatewayError {
  return new GatewayError('audit_outcome_lost', 'the tool ran, and that could not be recorded anywhere', { cause });
}

function describe(ack: Exclude<PublishAck, { kind: 'stored' }>): string {
  if (ack.kind === 'no_stream') return 'no stream takes audit records';
  return ack.code === 0 ? ack.description : `${ack.description} (${ack.code})`;
}
