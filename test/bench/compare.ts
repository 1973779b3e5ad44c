import { figureOf, type Results } from './results.ts';
import { type TargetName, targetNames } from './targets/target.ts';

/** A metric that is clearly worse than in the stored run. */
export interface Regression {
  readonly target: TargetName;
  readonly metric: string;
  readonly before: number;
  readonly now: number;
  /** How much worse: 0.4 for 40 %. */
  readonly worse: number;
  /** The same for the floor, which no change of toolbus can slow down: if it is alike, the machine was busier. */
  readonly floorWorse: number | undefined;
}

/** Differences below this are noise on two shared cores. */
const tolerated = 0.25;

/** Metrics of `now` that are more than 25 % worse than in `before`, the worst first. Left out: per-process figures (their sums count), idle targets. */
export function regressions(now: Results, before: Results): Regression[] {
  const found: Regression[] = [];
  for (const target of targetNames) {
    for (const metric of Object.keys(now.figures[target] ?? {})) {
      if (metric.split('.').length > 2 || metric.endsWith('.others')) continue;
      const worse = change(now, before, target, metric);
      if (worse === undefined || worse.worse <= tolerated) continue;
      const floorWorse = change(now, before, 'floor', metric)?.worse;
      found.push({ target, metric, ...worse, floorWorse });
    }
  }
  return found.sort((a, b) => b.worse - a.worse);
}

function change(now: Results, before: Results, target: TargetName, metric: string) {
  const values = [figureOf(now, target, metric), figureOf(before, target, metric)];
  const [after, earlier] = values;
  if (after === undefined || earlier === undefined || after <= 0 || earlier <= 0) return undefined;
  const worse = higherIsBetter(metric) ? earlier / after - 1 : after / earlier - 1;
  return { before: earlier, now: after, worse };
}

/** Throughput; of everything else less is better. */
export function higherIsBetter(metric: string): boolean {
  return metric.endsWith('.rps');
}
