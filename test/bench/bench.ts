import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchOptions, readOptions, usageText } from './args.ts';
import { judge } from './budgets.ts';
import { regressions } from './compare.ts';
import { machineFacts } from './machine.ts';
import { createProcesses } from './processes.ts';
import { budgetsTable, figuresTable, regressionsText } from './report.ts';
import { createRecorder, type Results, readResults } from './results.ts';
import { runRounds } from './run.ts';
import { suites } from './suites/all.ts';

/**
 * Runs the benchmark of the checkout at `root`. Resolves with the exit code: 0 when every budget that was measured is kept and
 * every answer was right, 1 when not, 2 for wrong options.
 */
export async function bench(args: readonly string[], root: string): Promise<number> {
  let options: BenchOptions;
  try {
    options = readOptions(
      args,
      suites.map(({ name }) => name),
    );
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
  const processes = createProcesses();
  const recorder = createRecorder();
  const faults: string[] = [];
  const stopped = new AbortController();
  const onSignal = () => stopped.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const cli = join(root, 'bin', 'toolbus.js');
    await runRounds({ options, processes, recorder, cli, faults, signal: stopped.signal });
  } finally {
    await processes.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  if (stopped.signal.aborted) return 1;

  const { quick, rounds, era } = options;
  const date = new Date().toISOString();
  const results: Results = { format: 1, date, quick, rounds, era, machine, figures: recorder.figures(), faults };
  return conclude(results, options, join(root, 'test', 'bench', 'results'));
}

function conclude(results: Results, options: BenchOptions, folder: string): number {
  const stored = join(folder, 'stored.json');
  const before = readResults(options.baseline ?? stored);
  const verdicts = judge(results);
  const { machine } = results;
  process.stdout.write(
    `\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, nats-server ${machine.nats}; ` +
      `medians of ${results.rounds} round${results.rounds === 1 ? '' : 's'}${results.quick ? ', quick' : ''}\n\n` +
      `${figuresTable(results)}\n\n${budgetsTable(verdicts)}\n\n`,
  );
  if (before === undefined) process.stdout.write('There is no stored run to compare with: --store keeps this one.\n');
  else if (before.era !== results.era) process.stdout.write('The stored run was of the other era: not compared.\n');
  else process.stdout.write(`${regressionsText(regressions(results, before), before)}\n`);
  for (const fault of results.faults) process.stdout.write(`FAULT ${fault}\n`);

  const text = `${JSON.stringify(results, null, 2)}\n`;
  writeFileSync(join(folder, 'latest.json'), text);
  if (options.store) writeFileSync(stored, text);
  return results.faults.length > 0 || verdicts.some(({ outcome }) => outcome === 'fail') ? 1 : 0;
}
