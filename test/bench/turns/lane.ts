import type { Outcome, WindowJob } from '../load/job.ts';
import type { Running } from '../processes.ts';
import type { Target } from '../targets/target.ts';

/** What takes turns: one job at one server of one target. */
export interface Lane {
  readonly target: Target;
  readonly server: string;
  /** How the names of its metrics begin: `c64`. */
  readonly name: string;
  readonly job: WindowJob;
  /** Around each window; what it costs does not count. */
  before?(): Promise<void>;
  after?(): Promise<void>;
}

/** One window of a lane. */
export interface Measured {
  /** Which turn it belongs to, `2.1` for the first turn of the second round. */
  readonly turn: string;
  readonly outcome: Outcome;
  /** Of each process of the target: CPU seconds for all calls of the window (`outcome.answered`), memory at its end. */
  readonly used: ReadonlyMap<Running, { readonly cpuSeconds: number; readonly rssMiB: number }>;
  /** CPUs that the other targets kept busy meanwhile, although nobody called them. Undefined when there is no other, or nobody tells. */
  readonly idleCpus: number | undefined;
  /** The share of the CPU time asked for that other guests took. */
  readonly stolen: number;
}
