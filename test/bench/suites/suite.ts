import type { Load } from '../load/client.ts';
import type { Job, Outcome, Window } from '../load/job.ts';
import type { MachineTime } from '../steal.ts';
import type { ServerSpec, Target, TargetName } from '../targets/target.ts';
import type { Repeats } from '../turns/repeats.ts';
import type { Usage } from '../usage.ts';

/** One subject of the benchmark: it starts the targets in front of the servers it needs and records metrics. */
export interface Suite {
  readonly name: string;
  /** Targets it says nothing about are left out. */
  readonly targets: readonly TargetName[];
  run(context: Context): Promise<void>;
}

export interface Context {
  /** The suite's targets that were asked for, in the order of this round. */
  readonly targets: readonly TargetName[];
  /** From 0. */
  readonly round: number;
  readonly quick: boolean;
  readonly load: Load;
  readonly repeats: Repeats;
  readonly signal: AbortSignal;
  /** Undefined where the system does not tell. */
  readonly usage: Usage | undefined;
  readonly machineClock: (() => MachineTime) | undefined;
  /** A window: short, so that neighbours see the same machine. */
  readonly window: Window;
  /** How many turns to take where a full run takes so many. */
  turns(full: number): number;
  start(target: TargetName, servers: readonly ServerSpec[]): Promise<Target>;
  /** Says on stderr what comes now. */
  step(name: string): void;
  /** `turn` is `2.1` for the first turn of the second round, or `2` for what is known of the round as a whole. */
  record(target: TargetName, metric: string, turn: string, value: number): void;
  /** A wrong or missing answer: the run does not count as passed. */
  fault(message: string): void;
}

/** Runs a job at one server of a target; wrong answers are faults. Rejects when it could not run, or the benchmark is interrupted. */
export async function order(context: Context, target: Target, server: string, job: Job): Promise<Outcome> {
  context.signal.throwIfAborted();
  const outcome = await context.load.run(target.endpoint(server), job);
  if (outcome.firstFault !== undefined) {
    context.fault(`${target.name}, ${job.kind}: ${outcome.wrong} wrong answers: ${outcome.firstFault}`);
  }
  return outcome;
}

/** Whether the work was done; what it throws is a fault, and does not keep the others from being measured. */
export async function attempt(context: Context, what: string, work: () => Promise<void>): Promise<boolean> {
  context.signal.throwIfAborted();
  try {
    await work();
    return true;
  } catch (error) {
    context.fault(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}
