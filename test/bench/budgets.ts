import { type Compared, paired, ratio, type Turns } from './pairs.ts';
import type { Results } from './results.ts';
import type { TargetName } from './targets/target.ts';

/** Something toolbus must not exceed (or fall below). What compares two targets compares their windows of the same turn. */
export interface Budget {
  readonly name: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  /** The median over the turns, with its quartiles; undefined while a figure is missing. */
  measure(results: Pick<Results, 'figures'>): Compared | undefined;
}

export interface Verdict {
  readonly budget: Budget;
  readonly outcome: 'pass' | 'fail' | 'not measured';
  readonly measured?: Compared;
}

type Measure = Budget['measure'];

const turnsOf = (results: Pick<Results, 'figures'>, target: TargetName, metric: string): Turns =>
  results.figures[target]?.[metric]?.turns ?? {};

/** A metric of toolbus alone. */
const own =
  (metric: string): Measure =>
  (results) =>
    paired([turnsOf(results, 'toolbus', metric)], ([value = 0]) => value);

/** A metric of one target, over that of another. */
const over =
  (target: TargetName, base: TargetName, metric: string): Measure =>
  (results) =>
    paired([turnsOf(results, target, metric), turnsOf(results, base, metric)], ([value = 0, other = 0]) =>
      ratio(value, other),
    );

/** A metric of toolbus over another of its metrics. */
const overOwn =
  (metric: string, base: string): Measure =>
  (results) =>
    paired([turnsOf(results, 'toolbus', metric), turnsOf(results, 'toolbus', base)], ([value = 0, other = 0]) =>
      ratio(value, other),
    );

/** What toolbus adds to the direct call, over what the floor adds. */
const addedOverFloor =
  (metric: string): Measure =>
  (results) => {
    const series = (['toolbus', 'floor', 'direct'] as const).map((target) => turnsOf(results, target, metric));
    return paired(series, ([value = 0, floor = 0, direct = 0]) => ratio(value - direct, floor - direct));
  };

const addedByAudit =
  (metric: string): Measure =>
  (results) =>
    paired(
      [turnsOf(results, 'toolbus', metric), turnsOf(results, 'unaudited', metric)],
      ([value = 0, without = 0]) => value - without,
    );

const atMost = (name: string, limit: number, unit: string, measure: Measure): Budget => ({
  name,
  unit,
  bound: 'at most',
  limit,
  measure,
});
const atLeast = (name: string, limit: number, unit: string, measure: Measure): Budget => ({
  name,
  unit,
  bound: 'at least',
  limit,
  measure,
});

/** The budgets on two shared cores. */
export const budgets: readonly Budget[] = [
  atMost('added p50, 1 agent: toolbus / floor', 1.4, '×', addedOverFloor('c1.p50')),
  atMost('added p99, 1 agent: toolbus / floor', 2, '×', addedOverFloor('c1.p99')),
  atLeast('throughput, 64 agents: toolbus / floor', 0.9, '×', over('toolbus', 'floor', 'c64.rps')),
  atMost('CPU, 64 agents: toolbus / floor', 1.2, '×', over('toolbus', 'floor', 'c64.cpu')),
  atMost('p50 that audit adds, 1 agent', 0.35, 'ms', addedByAudit('c1.p50')),
  atLeast('throughput, 64 agents: synced / toolbus', 0.75, '×', over('synced', 'toolbus', 'c64.rps')),
  atMost('list of 251 tools, p50: toolbus / direct', 2, '×', over('toolbus', 'direct', 'list251.p50')),
  atMost('list of 2,000 tools, p50', 8, 'ms', own('list2000.p50')),
  atMost('result of 1 MiB, p50', 12, 'ms', own('result1m.p50')),
  atMost('1,000 sessions', 45, 'MiB', own('sessions.mib')),
  atMost('p99 beside 64 hung calls / alone', 1.2, '×', overOwn('beside.p99', 'alone.p99')),
  atLeast('throughput: two workers / one', 1.8, '×', overOwn('worker2.rps', 'worker1.rps')),
];

/** Holds a run against the budgets. */
export function judge(results: Pick<Results, 'figures'>): Verdict[] {
  return budgets.map((budget) => {
    const measured = budget.measure(results);
    if (measured === undefined) return { budget, outcome: 'not measured' };
    const { bound, limit } = budget;
    const kept = bound === 'at most' ? measured.median <= limit : measured.median >= limit;
    return { budget, outcome: kept ? 'pass' : 'fail', measured };
  });
}
