import type { BenchOptions } from './args.ts';
import { startLoad } from './load/client.ts';
import type { Processes } from './processes.ts';
import type { Recorder } from './results.ts';
import { rotated } from './statistics.ts';
import type { MachineTime } from './steal.ts';
import { suites } from './suites/all.ts';
import type { Suite } from './suites/suite.ts';
import { directTarget } from './targets/direct.ts';
import { floorTarget } from './targets/floor.ts';
import type { StartTarget, TargetName } from './targets/target.ts';
import { toolbusTarget } from './targets/toolbus.ts';
import type { Repeats } from './turns/repeats.ts';
import { openUsage } from './usage.ts';

export interface Run {
  readonly options: BenchOptions;
  readonly processes: Processes;
  readonly recorder: Recorder;
  readonly repeats: Repeats;
  readonly machineClock: (() => MachineTime) | undefined;
  /** Path of the toolbus command. */
  readonly cli: string;
  /** Filled with what went wrong. */
  readonly faults: string[];
  readonly signal: AbortSignal;
}

/** Long enough for 256 agents to have a call in flight each before anything counts. */
const warmupMs = 200;
const windowMs = 1_000;
const quickWindowMs = 500;

/** Every suite in every round, with its targets side by side; the order in which they start turns by one each round. */
export async function runRounds(run: Run): Promise<void> {
  const { options, processes } = run;
  const starts: Readonly<Record<TargetName, StartTarget>> = {
    direct: directTarget(processes),
    floor: floorTarget(processes),
    toolbus: toolbusTarget(processes, run.cli, 'toolbus'),
    synced: toolbusTarget(processes, run.cli, 'synced'),
    unaudited: toolbusTarget(processes, run.cli, 'unaudited'),
  };
  for (let round = 0; round < options.rounds; round++) {
    for (const suite of suites.filter(({ name }) => options.suites.includes(name))) {
      const asked = suite.targets.filter((name) => options.targets.includes(name));
      if (run.signal.aborted) return;
      if (asked.length > 0) await runSuite(run, suite, rotated(asked, round), round, starts);
    }
  }
}

async function runSuite(
  run: Run,
  suite: Suite,
  targets: readonly TargetName[],
  round: number,
  starts: Readonly<Record<TargetName, StartTarget>>,
): Promise<void> {
  const { options, processes, recorder, faults, repeats, machineClock, signal } = run;
  const { quick } = options;
  // Interrupted: everything stops, and what the suite was waiting for fails.
  const onAbort = () => void processes.stopAll();
  signal.addEventListener('abort', onAbort);
  const step = (name: string) => {
    process.stderr.write(`round ${round + 1}/${options.rounds}  ${suite.name}  ${name}\n`);
  };
  step(`start ${targets.join(', ')}`);
  try {
    await suite.run({
      targets,
      round,
      quick,
      repeats,
      signal,
      machineClock,
      step,
      load: await startLoad(processes, options.era),
      usage: openUsage(),
      window: { warmupMs, measureMs: quick ? quickWindowMs : windowMs },
      turns: (full) => (quick ? Math.ceil(full / 3) : full),
      start: (name, servers) => starts[name](servers),
      record: (target, metric, turn, value) => recorder.record(target, metric, turn, value),
      fault: (message) => faults.push(`${suite.name}: ${message}`),
    });
  } catch (error) {
    faults.push(`${suite.name}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await processes.stopAll();
  }
}
