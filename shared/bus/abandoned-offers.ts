import type { Attempt } from './attempt.ts';
import { busLimits } from './limits.ts';

/** Offers that nobody waits for any more: whoever still accepts one is told to give the slot back. */
export interface AbandonedOffers {
  add(entry: Attempt): void;
  /** The server of the offer and when it was made, once; undefined for a key that is none of these. */
  take(key: string): Abandoned | undefined;
  /** Forgets those whose acceptance would have ended by itself. */
  expire(now: number): void;
}

export interface Abandoned {
  readonly server: string;
  /** By `performance.now()`. */
  readonly offeredAt: number;
}

export function createAbandonedOffers(): AbandonedOffers {
  const offers = new Map<string, Abandoned & { readonly until: number }>();
  return {
    add(entry) {
      const { key, call, startedAt } = entry;
      const until = performance.now() + busLimits.reservationMs;
      offers.set(key, { server: call.server, offeredAt: startedAt, until });
    },
    take(key) {
      const offer = offers.get(key);
      offers.delete(key);
      return offer;
    },
    expire(now) {
      for (const [key, { until }] of offers) if (now > until) offers.delete(key);
    },
  };
}
