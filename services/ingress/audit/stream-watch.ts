import type { AuditPublisher, PublishAck } from '../../../shared/bus/audit-publisher.ts';
import { createLateness } from '../../../shared/lateness.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import type { WriterState } from './writer-state.ts';

export interface StreamWatchOptions {
  readonly writer: string;
  /** A subject of a small stream on the same NATS, written to now and then while there are no calls: does NATS still store? */
  readonly probeSubject: string;
  readonly publisher: AuditPublisher;
  readonly keeper: StreamKeeper;
  readonly state: WriterState;
  /** When the oldest record that somebody waits for was handed over. */
  oldest(): number | undefined;
  onBroken(why: string): void;
  /** The next try of a broken stream is due. */
  onDue(): void;
  /** While it records: time to ship what is on the disk. */
  onShip(): void;
  /** Every time it looks, with `performance.now()`. */
  onSweep(now: number): void;
}

/** Notices in time that nothing is stored any more: by records that wait, by probes while there are none, and by looking at the streams. */
export interface StreamWatch {
  /** NATS has stored something. */
  noteStored(): void;
  /** Nobody waits for a probe any longer. */
  forgetProbe(): void;
  close(): void;
}

/** What is not acknowledged within this time counts as not recorded. */
export const ackMs = 500;
const sweepMs = 50;
/** As many looks must have seen it wait: where all processes of a machine stand still together, nobody is late. */
const looksInAckMs = ackMs / sweepMs - 1;
/** How often the streams are looked at, and how long there are no calls before a probe is written. */
const lookMs = 10_000;
const idleMs = 5_000;
/** What came to the disk while it was being shipped is looked for again after this time. */
const shipMs = 1_000;

export function watchStream(options: StreamWatchOptions): StreamWatch {
  const { writer, probeSubject, publisher, keeper, state, oldest, onBroken, onDue, onShip, onSweep } = options;
  const lateAt = createLateness(sweepMs);
  let lastStored = performance.now();
  let lookAt = lastStored + lookMs;
  let probedAt: number | undefined;
  const records = patience();
  const probes = patience();
  let shipAt = 0;
  const sweeper = setInterval(sweep, sweepMs);
  sweeper.unref();

  function sweep(): void {
    const now = performance.now();
    // Acknowledgements may be waiting unread.
    if (lateAt(now) > ackMs / 2) return;
    onSweep(now);
    if (records.isOver(oldest(), now)) onBroken(`no acknowledgement within ${ackMs} ms`);
    if (state.isDue(now)) onDue();
    if (state.now === 'recording') watch(now);
  }

  function watch(now: number): void {
    if (now >= shipAt) {
      shipAt = now + shipMs;
      onShip();
    }
    if (probes.isOver(probedAt, now)) {
      probedAt = undefined;
      onBroken(`NATS stored nothing within ${ackMs} ms`);
    } else if (probedAt === undefined && now - lastStored > idleMs && oldest() === undefined) probe(now);
    if (now < lookAt) return;
    lookAt = now + lookMs;
    void keeper.check().then((found) => {
      if (found.kind === 'missing' && state.now === 'recording') onBroken(found.reason);
    });
  }

  function probe(now: number): void {
    probedAt = now;
    const sent = publisher.publish(probeSubject, '', { id: `${writer}:probe:${now}` }, (ack) => {
      probedAt = undefined;
      lastStored = performance.now();
      if (ack.kind !== 'stored' && state.now === 'recording') onBroken(describe(ack));
    });
    if (sent === undefined) probedAt = undefined;
  }

  return {
    noteStored() {
      lastStored = performance.now();
    },
    forgetProbe() {
      probedAt = undefined;
    },
    close: () => clearInterval(sweeper),
  };
}

/** Whether what waits since then has waited too long, in time and in looks. */
function patience() {
  let seen: number | undefined;
  let looks = 0;
  return {
    isOver(since: number | undefined, now: number): boolean {
      looks = since === seen ? looks + 1 : 1;
      seen = since;
      return since !== undefined && now - since > ackMs && looks >= looksInAckMs;
    },
  };
}

/** What NATS said, for an operator. */
export function describe(ack: Exclude<PublishAck, { kind: 'stored' }>): string {
  if (ack.kind === 'no_stream') return 'no stream takes audit records';
  return ack.code === 0 ? ack.description : `${ack.description} (${ack.code})`;
}
