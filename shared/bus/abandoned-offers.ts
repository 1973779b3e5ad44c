import type { Attempt } from './attempt.ts';
import { busLimits } from './limits.ts';

/** Offers that nobody waits for any more: whoever still accepts one is told to give the slot back. */
export interface AbandonedOffers {
  add(entry: Attempt): void;
  /** The server of the offer, once; undefined for a key that is none of these. */
  take(key: string): string | undefined;
  /** Forgets those whose acceptance would have ended by itself. */
  expire(now: number): void;
}

export function createAbandonedOffers(): AbandonedOffers {
  const offers = new Map<string, { readonly server: string; readonly until: number }>();
  return {
    add(entry) {
      offers.set(entry.key, { server: entry.call.server, until: performance.now() + busLimits.reservationMs });
    },
    take(key) {
      const server = offers.get(key)?.server;
      offers.delete(key);
      return server;
    },
    expire(now) {
      for (const [key, { until }] of offers) if (now > until) offers.delete(key);
    },
  };
}
