import type { Load } from '../load/client.ts';
import type { Job, Outcome, Window } from '../load/job.ts';
import type { StartTarget, Target, TargetName } from '../targets/target.ts';
import type { Usage } from '../usage.ts';

/** One subject of the benchmark: it starts the target in front of the servers it needs and records metrics. */
export interface Suite {
  readonly name: string;
  /** Targets it says nothing about are left out. */
  readonly targets: readonly TargetName[];
  run(context: Context): Promise<void>;
}

export interface Context {
  readonly start: StartTarget;
  readonly load: Load;
  readonly quick: boolean;
  /** Undefined where the system does not tell. */
  readonly usage: Usage | undefined;
  /** A window of that length, shortened for a quick run; the warm-up is half a second. */
  window(seconds: number): Window;
  record(metric: string, value: number): void;
  /** A wrong or missing answer: the run does not count as passed. */
  fault(message: string): void;
}

/** Runs a job at one server of a target; faults are handed on, and an outcome without a single answer is one. */
export async function measure(
  context: Context,
  target: Target,
  server: string,
  job: Job,
  onMeasuring?: () => void,
): Promise<Outcome> {
  const outcome = await context.load.run(target.endpoint(server), job, onMeasuring);
  const what = `${target.name}, ${job.kind}`;
  if (outcome.firstFault !== undefined) context.fault(`${what}: ${outcome.wrong} wrong answers: ${outcome.firstFault}`);
  else if (outcome.calls === 0 && job.kind !== 'release') context.fault(`${what}: no answer at all`);
  return outcome;
}

/** Enough for the code of every target to be compiled, whatever the speed of the machine; but no longer than this. */
const primingCalls = 20_000;
const primingMs = 8_000;

/** Load before anything is measured, so that code is compiled and connections are open. */
export async function prime(context: Context, target: Target, server: string): Promise<void> {
  const job = { kind: 'closed', agents: 64, work: { tool: 'echo' } } as const;
  const until = performance.now() + (context.quick ? 0 : primingMs);
  let calls = 0;
  do {
    const outcome = await measure(context, target, server, { ...job, window: context.window(1.5) });
    calls += outcome.calls;
  } while (calls < primingCalls && performance.now() < until);
}
