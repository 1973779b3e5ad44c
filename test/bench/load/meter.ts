import { createSamples } from '../statistics.ts';
import type { Outcome, Window } from './job.ts';

/** Counts calls while the window is open, and waits for those that are unanswered when it closes. */
export interface Meter {
  /** True until the window has closed: then no new call starts. */
  readonly running: boolean;
  /** A call begins, or is due. */
  begin(): void;
  /** Its answer is there since `at`, by default now; `start` is when it began. Both on the clock of `performance.now()`. */
  end(start: number, fault: string | undefined, at?: number): void;
  /** Resolves when the window has closed and every call that began is answered or given up. */
  readonly closed: Promise<Outcome>;
}

/** An answer that takes longer after the window is given up. */
const drainMs = 10_000;

/** Starts the warm-up at once. */
export function startMeter(window: Window, giveUpMs = drainMs): Meter {
  const samples = createSamples();
  let firstFault: string | undefined;
  let [calls, answered, wrong, waiting] = [0, 0, 0, 0];
  let [opened, closedAt] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let onDrained: (() => void) | undefined;

  const closed = new Promise<Outcome>((resolve) => {
    const report = () => {
      const seconds = (closedAt - opened) / 1000;
      resolve({ calls, answered, wrong, firstFault, seconds, latencies: samples.values() });
    };
    const close = () => {
      closedAt = performance.now();
      if (waiting === 0) return report();
      const timer = setTimeout(() => {
        firstFault ??= `${waiting} calls were not answered ${giveUpMs / 1000} s after the window`;
        wrong += waiting;
        onDrained = undefined;
        report();
      }, giveUpMs);
      onDrained = () => {
        clearTimeout(timer);
        report();
      };
    };
    setTimeout(() => {
      opened = performance.now();
      setTimeout(close, window.measureMs);
    }, window.warmupMs);
  });

  return {
    get running() {
      return closedAt === Number.POSITIVE_INFINITY;
    },
    begin() {
      waiting++;
    },
    end(start, fault, at = performance.now()) {
      waiting--;
      answered++;
      if (fault !== undefined) {
        firstFault ??= fault;
        wrong++;
      }
      if (at >= opened && at <= closedAt) calls++;
      if (start >= opened && start <= closedAt) samples.add(at - start);
      if (waiting === 0) onDrained?.();
    },
    closed,
  };
}
