/** A limit lets a call through sooner or later; this often it is asked. */
const mostTries = 40;
/** A server that takes no calls is waited for this long, once until it takes one again. Milliseconds. */
const awayMs = 10_000;
const pauseMs = 250;

/** When a call that was refused is sent again. */
export interface ReplayRetries {
  /** The server took a call. */
  taken(server: string): void;
  /** Milliseconds to wait before the next try of a call that was not executed; undefined: it has failed. */
  pause(server: string, reason: string, tries: number, retryAfterMs: number | undefined): number | undefined;
}

export function createReplayRetries(now: () => number = () => performance.now()): ReplayRetries {
  /** By server that is away. */
  const waitUntil = new Map<string, number>();
  return {
    taken: (server) => void waitUntil.delete(server),
    pause(server, reason, tries, retryAfterMs = pauseMs) {
      if (reason === 'rate_limited' || reason === 'overloaded') return tries < mostTries ? retryAfterMs : undefined;
      const until = waitUntil.get(server) ?? now() + awayMs;
      waitUntil.set(server, until);
      return now() < until ? Math.min(retryAfterMs, 1_000) : undefined;
    },
  };
}
