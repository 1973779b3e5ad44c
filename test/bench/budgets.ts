import { figureOf, type Results } from './results.ts';

/** Something toolbus must not exceed (or fall below), measured in the same run as what it is compared with. */
export interface Budget {
  readonly name: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  /** What was measured and its limit; undefined while a figure is missing. */
  judge(results: Pick<Results, 'figures'>): { readonly value: number; readonly limit: number } | undefined;
}

export interface Verdict {
  readonly budget: Budget;
  readonly outcome: 'pass' | 'fail' | 'not measured';
  readonly value?: number;
  readonly limit?: number;
}

type Read = (results: Pick<Results, 'figures'>) => number | undefined;

const toolbus =
  (metric: string): Read =>
  (results) =>
    figureOf(results, 'toolbus', metric);
const floor =
  (metric: string): Read =>
  (results) =>
    figureOf(results, 'floor', metric);
const synced =
  (metric: string): Read =>
  (results) =>
    figureOf(results, 'synced', metric);
const unaudited =
  (metric: string): Read =>
  (results) =>
    figureOf(results, 'unaudited', metric);
const direct =
  (metric: string): Read =>
  (results) =>
    figureOf(results, 'direct', metric);
const constant =
  (value: number): Read =>
  () =>
    value;
const times =
  (factor: number, read: Read): Read =>
  (results) => {
    const value = read(results);
    return value === undefined ? undefined : factor * value;
  };
/** What the gateway adds to the direct call. */
const added =
  (read: Read, base: Read): Read =>
  (results) => {
    const value = read(results);
    const without = base(results);
    return value === undefined || without === undefined ? undefined : value - without;
  };

function budget(name: string, unit: string, bound: Budget['bound'], value: Read, limit: Read): Budget {
  return {
    name,
    unit,
    bound,
    judge(results) {
      const [measured, allowed] = [value(results), limit(results)];
      return measured === undefined || allowed === undefined ? undefined : { value: measured, limit: allowed };
    },
  };
}

const addedBy = (side: (metric: string) => Read, metric: string): Read => added(side(metric), direct(metric));

/** The budgets on two shared cores. */
export const budgets: readonly Budget[] = [
  budget(
    'added p50, 1 agent: 1.4 × floor',
    'ms',
    'at most',
    addedBy(toolbus, 'c1.p50'),
    times(1.4, addedBy(floor, 'c1.p50')),
  ),
  budget(
    'added p99, 1 agent: 2 × floor',
    'ms',
    'at most',
    addedBy(toolbus, 'c1.p99'),
    times(2, addedBy(floor, 'c1.p99')),
  ),
  budget('throughput, 64 agents: 0.9 × floor', 'calls/s', 'at least', toolbus('c64.rps'), times(0.9, floor('c64.rps'))),
  budget('CPU, 64 agents: 1.2 × floor', 's/1k', 'at most', toolbus('c64.cpu'), times(1.2, floor('c64.cpu'))),
  budget(
    'p50 that audit adds, 1 agent',
    'ms',
    'at most',
    added(toolbus('c1.p50'), unaudited('c1.p50')),
    constant(0.35),
  ),
  budget(
    'throughput, 64 agents, synced: 0.75 × toolbus',
    'calls/s',
    'at least',
    synced('c64.rps'),
    times(0.75, toolbus('c64.rps')),
  ),
  budget(
    'list of 251 tools, p50: 2 × direct',
    'ms',
    'at most',
    toolbus('list251.p50'),
    times(2, direct('list251.p50')),
  ),
  budget('list of 2,000 tools, p50', 'ms', 'at most', toolbus('list2000.p50'), constant(8)),
  budget('result of 1 MiB, p50', 'ms', 'at most', toolbus('result1m.p50'), constant(12)),
  budget('1,000 sessions', 'MiB', 'at most', toolbus('sessions.mib'), constant(45)),
  budget('p99 beside 64 hung calls, over alone', '×', 'at most', toolbus('beside.ratio'), constant(1.2)),
  budget('two workers over one', '×', 'at least', toolbus('worker2.ratio'), constant(1.8)),
];

/** Holds a run against the budgets. */
export function judge(results: Pick<Results, 'figures'>): Verdict[] {
  return budgets.map((each) => {
    const measured = each.judge(results);
    if (measured === undefined) return { budget: each, outcome: 'not measured' };
    const { value, limit } = measured;
    const kept = each.bound === 'at most' ? value <= limit : value >= limit;
    return { budget: each, outcome: kept ? 'pass' : 'fail', value, limit };
  });
}
