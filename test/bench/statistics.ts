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

/** (max − min) / median: how far the rounds lie apart. 0 for a single value. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle;
}

/** The items in another order each round, so that no target is always measured first. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  if (items.length === 0) return items;
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** Latencies of one measured window, in milliseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Collects samples without allocating per sample. */
export interface Samples {
  readonly count: number;
  add(value: number): void;
  /** Sorts what was added so far. */
  summary(): Latencies;
}

export function createSamples(): Samples {
  let values = new Float64Array(4096);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(value) {
      if (count === values.length) {
        const larger = new Float64Array(values.length * 2);
        larger.set(values);
        values = larger;
      }
      values[count++] = value;
    },
    summary() {
      const sorted = values.slice(0, count).sort();
      return {
        p50: percentile(sorted, 50),
        p90: percentile(sorted, 90),
        p99: percentile(sorted, 99),
        max: count === 0 ? Number.NaN : sorted[count - 1]!,
      };
    },
  };
}
