import type { BenchOptions } from './args.ts';
import { startLoad } from './load/client.ts';
import type { Processes } from './processes.ts';
import type { Recorder } from './results.ts';
import { rotated } from './statistics.ts';
import { suites } from './suites/all.ts';
import type { Suite } from './suites/suite.ts';
import { directTarget } from './targets/direct.ts';
import { floorTarget } from './targets/floor.ts';
import type { StartTarget, TargetName } from './targets/target.ts';
import { toolbusTarget } from './targets/toolbus.ts';
import { openUsage } from './usage.ts';

export interface Run {
  readonly options: BenchOptions;
  readonly processes: Processes;
  readonly recorder: Recorder;
  /** Path of the toolbus command. */
  readonly cli: string;
  /** Filled with what went wrong. */
  readonly faults: string[];
  readonly signal: AbortSignal;
}

/** Every suite with every target in every round; the order of the targets turns by one each round. */
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
      const targets = suite.targets.filter((name) => options.targets.includes(name));
      for (const target of rotated(targets, round)) {
        if (run.signal.aborted) return;
        process.stderr.write(`round ${round + 1}/${options.rounds}  ${suite.name}  ${target}\n`);
        await runOne(run, suite, target, starts[target]);
      }
    }
  }
}

async function runOne(run: Run, suite: Suite, target: TargetName, start: StartTarget): Promise<void> {
  const { options, processes, recorder, faults } = run;
  // Interrupted: everything stops, and what the suite was waiting for fails.
  const onAbort = () => void processes.stopAll();
  run.signal.addEventListener('abort', onAbort);
  try {
    const load = await startLoad(processes, options.era);
    await suite.run({
      start,
      quick: options.quick,
      load,
      usage: openUsage(),
      window: (seconds) => ({ warmupMs: 500, measureMs: seconds * 1000 * (options.quick ? 0.3 : 1) }),
      record: (metric, value) => recorder.record(target, metric, value),
      fault: (message) => faults.push(`${suite.name}: ${message}`),
    });
  } catch (error) {
    faults.push(`${suite.name}, ${target}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    run.signal.removeEventListener('abort', onAbort);
    await processes.stopAll();
  }
}
