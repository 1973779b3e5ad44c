/** Tokens per second, and how many may gather. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A bucket that refills as time goes. All times are milliseconds of one monotonic clock. */
export interface TokenBucket {
  /** Milliseconds until a whole token is there, rounded up; 0 when it is. */
  waitMs(now: number): number;
  /** Takes tokens whether they are there or not: what others have spent is gone, so the level may fall below zero. */
  take(now: number, tokens: number): void;
  /** Tokens that are there; below zero when more was spent than there was. */
  level(now: number): number;
  /** How many tokens are missing until it is full. */
  missing(now: number): number;
  /** Somebody who has seen more of it says that at least so many are missing. */
  atLeastMissing(now: number, tokens: number): void;
  /** Another rate, of which this process may use one part in `parts`. What was spent stays spent. */
  setRate(now: number, rate: Rate, parts: number): void;
}

/** Debts are forgiven beyond so many bursts, so that no report, however wrong, closes a limit for long. */
const deepestDebt = 10;

/** A full bucket. */
export function createTokenBucket(given: Rate, now: number, parts = 1): TokenBucket {
  let rate = given;
  let burst = Math.max(1, rate.burst / parts);
  let perMs = rate.perSecond / parts / 1000;
  let level = burst;
  let at = now;

  function refill(now: number): void {
    if (now <= at) return;
    level = Math.min(burst, level + (now - at) * perMs);
    at = now;
  }

  return {
    waitMs(now) {
      refill(now);
      // A token that is there but for rounding is there.
      return level >= 1 - 1e-9 ? 0 : Math.ceil((1 - level) / perMs);
    },
    take(now, tokens) {
      refill(now);
      level = Math.max(level - tokens, -deepestDebt * burst);
    },
    level(now) {
      refill(now);
      return level;
    },
    missing(now) {
      refill(now);
      return burst - level;
    },
    atLeastMissing(now, tokens) {
      refill(now);
      level = Math.max(Math.min(level, burst - tokens), -deepestDebt * burst);
    },
    setRate(now, next, nextParts) {
      refill(now);
      const whole = rate.burst;
      const was = burst;
      burst = Math.max(1, next.burst / nextParts);
      perMs = next.perSecond / nextParts / 1000;
      // A smaller bucket, or another part of the same one, is as full as it was: the same debt would last longer than it was made.
      if (next.burst <= whole) level = (level * burst) / was;
      else level = burst - (was - level);
      rate = next;
    },
  };
}
