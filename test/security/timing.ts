import { randomInt } from 'node:crypto';

/** From here on dudect and the like call a difference of two means a leak. */
export const leakingT = 4.5;
/** Shares of the pooled times above which a sample was the machine's: it was interrupted, or collected garbage. */
const kept = 0.8;

/** Welch's t of two samples: their difference of means in units of its standard error. */
export function welchT(a: readonly number[], b: readonly number[]): number {
  const [first, second] = [momentsOf(a), momentsOf(b)];
  const error = Math.sqrt(first.variance / a.length + second.variance / b.length);
  return error === 0 ? 0 : (first.mean - second.mean) / error;
}

function momentsOf(sample: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = sample.reduce((sum, one) => sum + one, 0) / sample.length;
  const variance = sample.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

/**
 * Times `probe` on texts of two classes, `count` times each and in random order, so that whatever the machine does meanwhile meets both alike.
 * Returns |t| of the times that are left when the slow ones of both classes together are cut off at the same place.
 */
export function timingDifference(
  probe: (text: string) => unknown,
  classes: readonly [readonly string[], readonly string[]],
  count: number,
): number {
  const order = shuffled(Array.from({ length: 2 * count }, (_, at) => (at % 2) as 0 | 1));
  const texts = order.map((which) => classes[which][randomInt(classes[which].length)] ?? '');
  for (const text of texts.slice(0, 4_000)) probe(text);
  const times = texts.map((text) => {
    const begun = performance.now();
    probe(text);
    return performance.now() - begun;
  });
  const limit = times.toSorted((a, b) => a - b)[Math.floor(times.length * kept)] ?? 0;
  const of = (which: 0 | 1) => times.filter((time, at) => order[at] === which && time <= limit);
  return Math.abs(welchT(of(0), of(1)));
}

function shuffled<T>(items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at -= 1) {
    const other = randomInt(at + 1);
    const [a, b] = [items[at], items[other]];
    if (a === undefined || b === undefined) continue;
    items[at] = b;
    items[other] = a;
  }
  return items;
}
