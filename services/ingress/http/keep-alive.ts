import { type Membership, ShortLivedSet } from '../../../shared/short-lived.ts';

/** Something that stays open and may have to say so. */
export interface Quiet {
  /** `performance.now()` of the last byte written, or of the start. */
  lastWrite: number;
  /** How long it may stay quiet now, in milliseconds. */
  readonly quietMs: number;
  /** While it is watched; KeepAlive keeps it here. */
  watched?: Membership;
  /** Called once it was quiet for that long. */
  onQuiet(): void;
}

/** One clock for all open answers and streams: a timer per call would cost more than the call's own bookkeeping. */
export interface KeepAlive {
  watch(quiet: Quiet): void;
  release(quiet: Quiet): void;
}

const tickMs = 1_000;

/** Looks every second for what has been quiet too long, until `stopping` aborts. Does not hold the process open. */
export function createKeepAlive(stopping: AbortSignal): KeepAlive {
  const watched = new ShortLivedSet<Quiet>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const quiet of watched.values()) {
      if (now - quiet.lastWrite < quiet.quietMs) continue;
      quiet.lastWrite = now;
      quiet.onQuiet();
    }
  }, tickMs);
  timer.unref();
  const stop = () => clearInterval(timer);
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  return {
    watch(quiet) {
      quiet.watched = watched.add(quiet);
    },
    release: (quiet) => void quiet.watched?.remove(),
  };
}
