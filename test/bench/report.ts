import type { Verdict } from './budgets.ts';
import type { Regression } from './compare.ts';
import { type Compared, paired, ratio } from './pairs.ts';
import { figureOf, type Results } from './results.ts';
import { rows } from './rows.ts';
import { targetNames } from './targets/target.ts';
import { type Disturbance, stolenLimit } from './turns/repeats.ts';

/** What the figures were measured on and with. */
export function headText({ machine, rounds, quick, disturbance }: Results): string {
  return (
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, nats-server ${machine.nats}; ` +
    `medians of the windows of ${rounds} round${rounds === 1 ? '' : 's'}${quick ? ', quick' : ''}\n` +
    disturbanceText(disturbance)
  );
}

/** How far other guests of the host disturbed the run. */
function disturbanceText({ stolen, windows, repeated, disturbed }: Disturbance): string {
  if (stolen === undefined) return `${windows} windows; this system does not tell what other guests take`;
  return (
    `Other guests of the host took ${percent(stolen)} of the CPU time asked for; ${repeated} of ${windows + repeated} windows ` +
    `were measured again, and in ${disturbed} of the ${windows} that count more than ${percent(stolenLimit)} was taken`
  );
}

/** The figures of a run as a table, one line per metric that was measured. */
export function figuresTable(results: Results): string {
  const lines = [['', ...targetNames, 'unit', 'spread', 'toolbus / floor']];
  for (const { label, metric, unit } of rows) {
    const values = targetNames.map((target) => figureOf(results, target, metric));
    if (values.every((value) => value === undefined)) continue;
    const spreads = targetNames.map((target) => results.figures[target]?.[metric]?.spread ?? 0);
    const spread = `±${Math.round((Math.max(...spreads) / 2) * 100)} %`;
    lines.push([label, ...values.map(shown), unit, spread, againstFloor(results, metric)]);
  }
  return aligned(lines);
}

function againstFloor({ figures }: Results, metric: string): string {
  const series = [figures.toolbus?.[metric]?.turns ?? {}, figures.floor?.[metric]?.turns ?? {}];
  const compared = paired(series, ([value = 0, floor = 0]) => ratio(value, floor));
  return compared === undefined ? '' : `${shown(compared.median)} (${between(compared)})`;
}

export function budgetsTable(verdicts: readonly Verdict[]): string {
  const lines = [['budget', 'median', '(quartiles)', 'of', 'limit', 'unit', '']];
  for (const { budget, outcome, measured } of verdicts) {
    const limit = `${budget.bound === 'at most' ? '≤' : '≥'} ${shown(budget.limit)}`;
    const found =
      measured === undefined ? ['-', '', ''] : [shown(measured.median), `(${between(measured)})`, `${measured.pairs}`];
    lines.push([budget.name, ...found, limit, budget.unit, outcome]);
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

function between({ low, high }: Compared): string {
  return `${shown(low)} – ${shown(high)}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function signed(change: number): string {
  return `${change > 0 ? '+' : ''}${Math.round(change * 100)} %`;
}

function shown(value: number | undefined): string {
  if (value === undefined) return '-';
  if (!Number.isFinite(value)) return '∞';
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
