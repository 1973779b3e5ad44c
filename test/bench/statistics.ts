/** The value below which `percent` of the samples lie, by nearest rank. `sorted` ascends; NaN when it is empty. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!;
}

/** The middle of the values, the mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** The median, and the medians of the lower and of the upper half (each with the middle value of an odd count); NaN for none. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.ceil(sorted.length / 2);
  return {
    low: median(sorted.slice(0, half)),
    median: median(sorted),
    high: median(sorted.slice(sorted.length - half)),
  };
}

/** (upper − lower quartile) / median: how far the middle half of the values lies apart. 0 for a single value. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const { low, median: middle, high } = quartiles(values);
  return middle === 0 ? 0 : Math.abs((high - low) / middle);
}

/** The items turned so that another one comes first each time. */
export function rotated<T>(items: readonly T[], turn: number): readonly T[] {
  if (items.length === 0) return items;
  const start = turn % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/**
 * The order of the items in a turn: each comes first in its time, and every other turn goes back the way the one before came, so that
 * of two items neither is always the earlier one on a machine that gets slower.
 */
export function turnOrder<T>(items: readonly T[], turn: number): readonly T[] {
  const order = rotated(items, turn >> 1);
  return turn % 2 === 0 ? order : [...order].reverse();
}

/** Collects samples without allocating per sample. */
export interface Samples {
  add(value: number): void;
  /** A copy of what was added so far. */
  values(): Float64Array;
}

export function createSamples(): Samples {
  let values = new Float64Array(4096);
  let count = 0;
  return {
    add(value) {
      if (count === values.length) {
        const larger = new Float64Array(values.length * 2);
        larger.set(values);
        values = larger;
      }
      values[count++] = value;
    },
    values: () => values.slice(0, count),
  };
}

/** The samples of several windows in one, ascending. */
export function pooled(windows: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(windows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const window of windows) {
    all.set(window, at);
    at += window.length;
  }
  return all.sort();
}
