import type { MachineFacts } from './machine.ts';
import type { Turns } from './pairs.ts';
import { median, spread } from './statistics.ts';
import type { TargetName } from './targets/target.ts';
import type { Disturbance } from './turns/repeats.ts';

/** Raised when figures are measured or kept in another way than before. 1: each target alone, one long window a round. */
export const resultsFormat = 2;

/** One metric of one target. */
export interface Figure {
  readonly median: number;
  /** (upper − lower quartile) / median over the windows. */
  readonly spread: number;
  /** By the name of the turn: `2.1` is the first turn of the second round, `2` a value of the round as a whole. */
  readonly turns: Turns;
}

export type Figures = Readonly<Record<string, Figure>>;

/** A run as it is stored: `figures.toolbus['c64.rps'].median`. */
export interface Results {
  readonly format: typeof resultsFormat;
  readonly date: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly era: string;
  readonly machine: MachineFacts;
  readonly disturbance: Disturbance;
  readonly figures: Readonly<Partial<Record<TargetName, Figures>>>;
  /** Wrong answers and targets that could not be measured. */
  readonly faults: readonly string[];
}

/** Gathers metrics while a run goes on. */
export interface Recorder {
  record(target: TargetName, metric: string, turn: string, value: number): void;
  figures(): Results['figures'];
}

export function createRecorder(): Recorder {
  const values = new Map<TargetName, Map<string, Map<string, number>>>();
  return {
    record(target, metric, turn, value) {
      const metrics = values.get(target) ?? new Map<string, Map<string, number>>();
      const turns = metrics.get(metric) ?? new Map<string, number>();
      values.set(target, metrics.set(metric, turns.set(turn, value)));
    },
    figures() {
      const targets = [...values].map(([target, metrics]) => {
        const figures = [...metrics].map(([name, turns]): [string, Figure] => [name, figureFrom(turns)]);
        return [target, Object.fromEntries(figures)];
      });
      return Object.fromEntries(targets);
    },
  };
}

function figureFrom(turns: ReadonlyMap<string, number>): Figure {
  const values = [...turns.values()];
  return {
    median: rounded(median(values)),
    spread: rounded(spread(values)),
    turns: Object.fromEntries([...turns].map(([turn, value]) => [turn, rounded(value)])),
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
