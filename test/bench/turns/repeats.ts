/** With more than this share of the CPU taken by other guests, a window is measured again. */
export const stolenLimit = 0.1;

/** How often one window is measured at most: a burst may outlast the second attempt. */
const attempts = 3;

/** What the run says about windows that other guests disturbed. */
export interface Disturbance {
  /** The share of the CPU time asked for that other guests took, over the whole run; absent where the system does not tell. */
  readonly stolen?: number;
  /** Windows that count. */
  readonly windows: number;
  /** Windows that do not count, because another attempt was better. */
  readonly repeated: number;
  /** Windows that count although more was taken than should be. */
  readonly disturbed: number;
}

export interface Repeats {
  /** Measures, again while too much is stolen and a repetition is left of those of this step; the least disturbed attempt counts. */
  leastDisturbed<T extends { readonly stolen: number }>(measure: () => Promise<T>, step: StepAllowance): Promise<T>;
  count(): Omit<Disturbance, 'stolen'>;
}

/** Repetitions that a step has left: as many as it has windows, so that it takes twice its time at most. */
export interface StepAllowance {
  take(): boolean;
}

export function allowance(windows: number): StepAllowance {
  let left = windows;
  return { take: () => left-- > 0 };
}

export function createRepeats(): Repeats {
  let [windows, repeated, disturbed] = [0, 0, 0];
  return {
    async leastDisturbed(measure, step) {
      let best = await measure();
      for (let attempt = 1; attempt < attempts && best.stolen > stolenLimit && step.take(); attempt++) {
        repeated++;
        const next = await measure();
        if (next.stolen < best.stolen) best = next;
      }
      windows++;
      if (best.stolen > stolenLimit) disturbed++;
      return best;
    },
    count: () => ({ windows, repeated, disturbed }),
  };
}
