import { readFileSync } from 'node:fs';
import type { MachineFacts } from './machine.ts';
import { median, spread } from './statistics.ts';
import type { TargetName } from './targets/target.ts';

/** One metric of one target over all rounds. */
export interface Figure {
  readonly median: number;
  /** (max − min) / median over the rounds. */
  readonly spread: number;
  readonly rounds: readonly number[];
}

export type Figures = Readonly<Record<string, Figure>>;

/** A run as it is stored: `figures.toolbus['c64.rps'].median`. */
export interface Results {
  readonly format: 1;
  readonly date: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly era: string;
  readonly machine: MachineFacts;
  readonly figures: Readonly<Partial<Record<TargetName, Figures>>>;
  /** Wrong answers and targets that could not be measured. */
  readonly faults: readonly string[];
}

/** Gathers metrics while a run goes on. */
export interface Recorder {
  record(target: TargetName, metric: string, value: number): void;
  figures(): Results['figures'];
}

export function createRecorder(): Recorder {
  const values = new Map<TargetName, Map<string, number[]>>();
  return {
    record(target, metric, value) {
      const metrics = values.get(target) ?? new Map<string, number[]>();
      values.set(target, metrics);
      metrics.set(metric, [...(metrics.get(metric) ?? []), value]);
    },
    figures() {
      const targets = [...values].map(([target, metrics]) => {
        const figures = [...metrics].map(([name, rounds]): [string, Figure] => [
          name,
          { median: rounded(median(rounds)), spread: rounded(spread(rounds)), rounds: rounds.map(rounded) },
        ]);
        return [target, Object.fromEntries(figures)];
      });
      return Object.fromEntries(targets);
    },
  };
}

/** Four significant digits: more would pretend. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** The median of a metric, undefined where it was not measured. */
export function figureOf(results: Pick<Results, 'figures'>, target: TargetName, metric: string): number | undefined {
  const value = results.figures[target]?.[metric]?.median;
  return value === undefined || value === null || Number.isNaN(value) ? undefined : value;
}

/** A stored run; undefined when there is no such file. Throws when the file is something else. */
export function readResults(file: string): Results | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const results: Results = JSON.parse(text);
  if (results.format !== 1) throw new Error(`${file} is not a stored run of this benchmark`);
  return results;
}
