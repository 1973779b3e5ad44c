export interface BackoffOptions {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Growing delays between attempts, with jitter so that many workers do not come at once. */
export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number;
  reset(): void;
}

export function createBackoff({ firstMs, lastMs }: BackoffOptions): Backoff {
  let attempt = 0;
  return {
    next() {
      const fullMs = Math.min(firstMs * 2 ** attempt, lastMs);
      attempt += 1;
      return Math.round(fullMs * (0.8 + 0.2 * Math.random()));
    },
    reset() {
      attempt = 0;
    },
  };
}
