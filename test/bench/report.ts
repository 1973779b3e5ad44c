import type { Verdict } from './budgets.ts';
import type { Regression } from './compare.ts';
import { figureOf, type Results } from './results.ts';
import { targetNames } from './targets/target.ts';

interface Row {
  readonly label: string;
  readonly metric: string;
  readonly unit: string;
}

const agents = [1, 16, 64, 256];

const rows: readonly Row[] = [
  ...agents.flatMap((count): Row[] => [
    { label: `${plural(count)}: p50`, metric: `c${count}.p50`, unit: 'ms' },
    { label: `${plural(count)}: p99`, metric: `c${count}.p99`, unit: 'ms' },
    { label: `${plural(count)}: throughput`, metric: `c${count}.rps`, unit: 'calls/s' },
    { label: `${plural(count)}: CPU`, metric: `c${count}.cpu`, unit: 's/1k' },
  ]),
  ...['ingress', 'worker', 'nats'].flatMap((name): Row[] => [
    { label: `64 agents: CPU, ${name}`, metric: `c64.cpu.${name}`, unit: 's/1k' },
    { label: `64 agents: RSS, ${name}`, metric: `c64.rss.${name}`, unit: 'MiB' },
  ]),
  { label: 'result of 100 B: p50', metric: 'result100b.p50', unit: 'ms' },
  { label: 'result of 16 KiB: p50', metric: 'result16k.p50', unit: 'ms' },
  { label: 'result of 1 MiB: p50', metric: 'result1m.p50', unit: 'ms' },
  { label: 'list of 251 tools: p50', metric: 'list251.p50', unit: 'ms' },
  { label: 'list of 251 tools: p99', metric: 'list251.p99', unit: 'ms' },
  { label: 'list of 2,000 tools: p50', metric: 'list2000.p50', unit: 'ms' },
  { label: 'list of 2,000 tools: p99', metric: 'list2000.p99', unit: 'ms' },
  { label: '1,000 sessions', metric: 'sessions.mib', unit: 'MiB' },
  { label: 'fast server alone: p99', metric: 'alone.p99', unit: 'ms' },
  { label: '… beside 64 hung calls: p99', metric: 'beside.p99', unit: 'ms' },
  { label: 'one worker, 10 ms tool', metric: 'worker1.rps', unit: 'calls/s' },
  { label: 'two workers', metric: 'worker2.rps', unit: 'calls/s' },
];

function plural(count: number): string {
  return count === 1 ? '1 agent' : `${count} agents`;
}

/** The figures of a run as a table, one line per metric that was measured. */
export function figuresTable(results: Results): string {
  const lines = [['', ...targetNames, 'unit', 'spread']];
  for (const { label, metric, unit } of rows) {
    const values = targetNames.map((target) => figureOf(results, target, metric));
    if (values.every((value) => value === undefined)) continue;
    const spreads = targetNames.map((target) => results.figures[target]?.[metric]?.spread ?? 0);
    lines.push([label, ...values.map(shown), unit, `±${Math.round((Math.max(...spreads) / 2) * 100)} %`]);
  }
  return aligned(lines);
}

export function budgetsTable(verdicts: readonly Verdict[]): string {
  const lines = [['budget', 'toolbus', 'limit', 'unit', '']];
  for (const { budget, outcome, value, limit } of verdicts) {
    const sign = budget.bound === 'at most' ? '≤' : '≥';
    lines.push([budget.name, shown(value), `${sign} ${shown(limit)}`, budget.unit, outcome]);
  }
  return aligned(lines);
}

export function regressionsText(found: readonly Regression[], before: Results): string {
  const title = `Against the stored run of ${before.date.slice(0, 10)} (${before.machine.cpu}, Node ${before.machine.node}):`;
  if (found.length === 0) return `${title} nothing is more than 25 % worse.`;
  const lines = found.map(({ target, metric, before, now, worse, floorWorse }) => {
    const floor = target === 'toolbus' && floorWorse !== undefined ? `floor ${signed(floorWorse)}` : '';
    return [`  ${target} ${metric}`, shown(before), '→', shown(now), `${signed(worse)} worse`, floor];
  });
  return `${title}\n${aligned(lines)}`;
}

function signed(change: number): string {
  return `${change > 0 ? '+' : ''}${Math.round(change * 100)} %`;
}

function shown(value: number | undefined): string {
  if (value === undefined) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(Math.abs(value) < 0.1 ? 3 : 2);
}

function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
