import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchOptions, readOptions, usageText } from './args.ts';
import { judge } from './budgets.ts';
import { regressions } from './compare.ts';
import { machineFacts } from './machine.ts';
import { createProcesses } from './processes.ts';
import { budgetsTable, figuresTable, headText, regressionsText } from './report.ts';
import { createRecorder, type Results, resultsFormat } from './results.ts';
import { runRounds } from './run.ts';
import { openMachineClock, stolenShare } from './steal.ts';
import { readStored, type Stored } from './stored.ts';
import { suites } from './suites/all.ts';
import { createRepeats, type Disturbance, type Repeats } from './turns/repeats.ts';

/**
 * Runs the benchmark of the checkout at `root`. Resolves with the exit code: 0 when every budget that was measured is kept and
 * every answer was right, 1 when not, 2 for wrong options. An interrupted run writes nothing.
 */
export async function bench(args: readonly string[], root: string): Promise<number> {
  const folder = join(root, 'test', 'bench', 'results');
  let options: BenchOptions;
  let before: Stored;
  try {
    options = readOptions(
      args,
      suites.map(({ name }) => name),
    );
    // Before the run, not after: it takes minutes.
    before = storedRun(options, folder);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usageText}`);
    return 2;
  }

  const machine = machineFacts();
  if (machine.loadBefore > 0.5) {
    process.stderr.write(`This machine is busy (load ${machine.loadBefore}): expect noise.\n`);
  }
  if (process.platform !== 'linux')
    process.stderr.write('CPU, memory and sessions are left out: they are read from /proc.\n');
  const machineClock = openMachineClock();
  const began = machineClock?.();
  const processes = createProcesses();
  const recorder = createRecorder();
  const repeats = createRepeats();
  const faults: string[] = [];
  const stopped = new AbortController();
  const onSignal = () => stopped.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const cli = join(root, 'bin', 'toolbus.js');
    await runRounds({ options, processes, recorder, repeats, machineClock, cli, faults, signal: stopped.signal });
  } finally {
    await processes.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  if (stopped.signal.aborted) return 1;

  const { quick, rounds, era } = options;
  const stolen = began === undefined || machineClock === undefined ? undefined : stolenShare(began, machineClock());
  const results: Results = {
    format: resultsFormat,
    date: new Date().toISOString(),
    quick,
    rounds,
    era,
    machine,
    disturbance: disturbanceOf(repeats, stolen),
    figures: recorder.figures(),
    faults,
  };
  return conclude(results, before, options, folder);
}

function storedRun({ baseline }: BenchOptions, folder: string): Stored {
  const stored = readStored(baseline ?? join(folder, 'stored.json'));
  if (baseline !== undefined && stored.kind === 'none') throw new Error(`there is no stored run ${baseline}`);
  return stored;
}

function disturbanceOf(repeats: Repeats, stolen: number | undefined): Disturbance {
  return { ...(stolen === undefined ? {} : { stolen: Math.round(stolen * 1000) / 1000 }), ...repeats.count() };
}

function conclude(results: Results, before: Stored, options: BenchOptions, folder: string): number {
  const verdicts = judge(results);
  process.stdout.write(
    `\n${headText(results)}\n\n${figuresTable(results)}\n\n${budgetsTable(verdicts)}\n\n${comparison(results, before)}\n`,
  );
  for (const fault of results.faults) process.stdout.write(`FAULT ${fault}\n`);

  const text = `${JSON.stringify(results, null, 2)}\n`;
  writeFileSync(join(folder, 'latest.json'), text);
  if (options.store) writeFileSync(join(folder, 'stored.json'), text);
  return results.faults.length > 0 || verdicts.some(({ outcome }) => outcome === 'fail') ? 1 : 0;
}

function comparison(results: Results, before: Stored): string {
  if (before.kind === 'none') return 'There is no stored run to compare with: --store keeps this one.';
  if (before.kind === 'other format') {
    return `The stored run was measured in another way (format ${before.format}, now ${resultsFormat}): not compared. --store replaces it.`;
  }
  if (before.results.era !== results.era) return 'The stored run was of the other era: not compared.';
  return regressionsText(regressions(results, before.results), before.results);
}
