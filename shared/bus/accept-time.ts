import { busLimits } from './limits.ts';

/** How long an offer waits for a worker before the call is offered elsewhere: longer where the way there and back is long. */
export interface AcceptTime {
  /** Milliseconds. */
  readonly ms: number;
  /** An acceptance came so many milliseconds after its offer, in time or too late. */
  seen(tookMs: number): void;
}

/** As TCP finds its retransmission timeout (RFC 6298, section 2): the smoothed time and four times its variation. */
export function createAcceptTime(): AcceptTime {
  let smoothed = 0;
  let variation = 0;
  return {
    get ms() {
      return Math.min(busLimits.mostAcceptMs, Math.max(busLimits.acceptMs, smoothed + 4 * variation));
    },
    seen(tookMs) {
      // That was no way but a standstill, which no offer waits for.
      if (tookMs > busLimits.mostAcceptMs) return;
      variation += (Math.abs(tookMs - smoothed) - variation) / 4;
      smoothed += (tookMs - smoothed) / 8;
    },
  };
}
