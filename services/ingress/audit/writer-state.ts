import { GatewayError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';

type Missed = Readonly<Record<'refused' | 'spooled' | 'lost', number>>;
/** What was not recorded, since when and why: the detail of an event. */
type Gap = Readonly<Record<'since' | 'reason', string>> & Missed;

export interface WriterStateOptions {
  readonly log: Logger;
  isRequired(): boolean;
  isConnected(): boolean;
}

/** Whether this process records, since when not and why, when the next try is due, and the figures of all that. */
export interface WriterState {
  readonly now: 'opening' | 'recording' | 'broken' | 'closed';
  /** Why it is not recording. */
  readonly reason: string | undefined;
  readonly counts: {
    readonly recorded: number;
    readonly packs: number;
    readonly refused: number;
    readonly lost: number;
    readonly ackMs: number;
  };
  /** From opening, or from broken: then what was missed is logged. */
  recording(): void;
  /** True when it was not broken before. Either way the pause before the next try begins again, longer each time. */
  broken(why: string): boolean;
  closed(): void;
  /** A better reason, found while looking. */
  explain(reason: string): void;
  isDue(now: number): boolean;
  /** The next try is due at once. */
  hurry(): void;
  postpone(): void;
  /** What the record about the gap says. It counts as said once something is stored. */
  gap(): Gap;
  /** What no record about a gap has said yet, and from now on counts as said; undefined when that is nothing. */
  unsaid(): Gap | undefined;
  stored(records: number, tookMs: number): void;
  spooled(): void;
  lost(): void;
  /** Counts a refused intent, and is what its agent is told. */
  refuse(): GatewayError;
}

/** How long a broken stream is left alone between two tries; doubled up to the second. */
const againMs = [250, 2_000] as const;

const none: Missed = { refused: 0, spooled: 0, lost: 0 };

export function createWriterState({ log, isRequired, isConnected }: WriterStateOptions): WriterState {
  let state: WriterState['now'] = 'opening';
  let reason: string | undefined = 'the audit stream is being opened';
  let brokenSince = '';
  let brokenBy = '';
  let tryAt = 0;
  let pauseMs: number = againMs[0];
  /** What is missing and not said in a record yet, and the part of it that a record on its way says. */
  let missed = none;
  let saying = none;
  const counts = { recorded: 0, packs: 0, refused: 0, lost: 0, ackMs: 0 };

  function postpone(): void {
    tryAt = performance.now() + pauseMs;
    pauseMs = Math.min(pauseMs * 2, againMs[1]);
  }

  return {
    get now() {
      return state;
    },
    get reason() {
      return reason;
    },
    counts,
    recording() {
      if (state === 'broken') log.warn({ since: brokenSince, ...missed }, 'the audit records again');
      state = 'recording';
      reason = undefined;
      missed = less(missed, saying);
      saying = none;
    },
    broken(why) {
      const isNew = state !== 'broken';
      reason = why;
      brokenBy = why;
      if (isNew) {
        state = 'broken';
        brokenSince = new Date().toISOString();
        pauseMs = againMs[0];
        log.error({ alarm: 'audit_unavailable', reason: why, required: isRequired() }, 'the audit does not record');
      }
      postpone();
      return isNew;
    },
    closed() {
      state = 'closed';
      reason = 'closed';
    },
    explain(why) {
      reason = why;
    },
    isDue: (now) => state === 'broken' && now >= tryAt,
    hurry() {
      tryAt = 0;
    },
    postpone,
    gap() {
      saying = missed;
      return { since: brokenSince, reason: brokenBy, ...missed };
    },
    unsaid() {
      const rest = missed;
      missed = none;
      const isNothing = rest.refused + rest.spooled + rest.lost === 0;
      return isNothing ? undefined : { since: brokenSince, reason: brokenBy, ...rest };
    },
    stored(records, tookMs) {
      counts.recorded += records;
      counts.packs += 1;
      counts.ackMs = tookMs;
    },
    spooled() {
      missed = { ...missed, spooled: missed.spooled + 1 };
    },
    lost() {
      missed = { ...missed, lost: missed.lost + 1 };
      counts.lost += 1;
    },
    refuse() {
      missed = { ...missed, refused: missed.refused + 1 };
      counts.refused += 1;
      if (!isConnected()) {
        return new GatewayError('broker_unavailable', 'the message bus is not reachable', { retryAfterMs: 1_000 });
      }
      return new GatewayError('audit_unavailable', 'calls are not recorded now, so none is started', {
        retryAfterMs: 1_000,
      });
    },
  };
}

function less(all: Missed, said: Missed): Missed {
  return {
    refused: all.refused - said.refused,
    spooled: all.spooled - said.spooled,
    lost: all.lost - said.lost,
  };
}
