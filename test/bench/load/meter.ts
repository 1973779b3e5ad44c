import { createSamples } from '../statistics.ts';
import type { Outcome, Window } from './job.ts';

/** Counts answers while the window is open. */
export interface Meter {
  /** True until the window has closed: then no new call starts. */
  readonly running: boolean;
  record(milliseconds: number, fault: string | undefined): void;
  /** Resolves when the window has closed. */
  readonly closed: Promise<Outcome>;
}

/** Starts the warm-up at once; `onMeasuring` is called when it ends. */
export function startMeter(window: Window, onMeasuring: () => void): Meter {
  const samples = createSamples();
  let wrong = 0;
  let firstFault: string | undefined;
  let measuring = false;
  let running = true;

  const closed = new Promise<Outcome>((resolve) => {
    setTimeout(() => {
      measuring = true;
      const start = performance.now();
      onMeasuring();
      setTimeout(() => {
        measuring = false;
        running = false;
        const seconds = (performance.now() - start) / 1000;
        resolve({ calls: samples.count, wrong, firstFault, seconds, latency: samples.summary() });
      }, window.measureMs);
    }, window.warmupMs);
  });

  return {
    get running() {
      return running;
    },
    record(milliseconds, fault) {
      if (fault !== undefined) firstFault ??= fault;
      if (!measuring) return;
      samples.add(milliseconds);
      if (fault !== undefined) wrong++;
    },
    closed,
  };
}
