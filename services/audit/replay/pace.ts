import { setTimeout as sleep } from 'node:timers/promises';

/** When calls are made again: as far apart as they were, that much faster or slower, or as fast as they are answered. */
export interface Pace {
  /** Resolves when it is this call's turn. Rejects when the signal aborts. */
  turn(at: number, signal: AbortSignal): Promise<void>;
}

/** `factor` 1 is the original pace, 10 ten times as fast; infinity does not wait. */
export function createPace(factor: number): Pace {
  let first: { recorded: number; now: number } | undefined;
  return {
    async turn(at, signal) {
      signal.throwIfAborted();
      if (factor === Number.POSITIVE_INFINITY) return;
      first ??= { recorded: at, now: performance.now() };
      const due = first.now + (at - first.recorded) / factor;
      const waitMs = due - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    },
  };
}
