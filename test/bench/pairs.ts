import { quartiles } from './statistics.ts';

/** A value for each turn it was measured in. A turn is named by round and turn, `2.1`; what is known per round only, by the round. */
export type Turns = Readonly<Record<string, number>>;

/** What a comparison of neighbouring windows says. */
export interface Compared {
  readonly median: number;
  /** The quartiles: half of the pairs lie between them. */
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
}

/**
 * Combines the values of each turn that every series has, and takes the median of what comes out. Windows of one turn saw the same
 * machine; medians of different moments did not. Undefined when there is no such turn.
 */
export function paired(series: readonly Turns[], combine: (values: readonly number[]) => number): Compared | undefined {
  const [first, ...others] = series;
  const combined: number[] = [];
  for (const [turn, value] of Object.entries(first ?? {})) {
    const rest = others.map((turns) => turns[turn]);
    if (rest.some((other) => other === undefined)) continue;
    const values = [value, ...rest.filter((other) => other !== undefined)];
    combined.push(combine(values));
  }
  if (combined.length === 0) return undefined;
  return { ...quartiles(combined), pairs: combined.length };
}

/** `value` over `base`. A base that noise made zero or negative cannot be kept to: the ratio is infinite then, not favourable. */
export function ratio(value: number, base: number): number {
  return base > 0 ? value / base : Number.POSITIVE_INFINITY;
}
