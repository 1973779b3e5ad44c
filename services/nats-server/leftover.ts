import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { commandLine, processMark } from '../../shared/process/process-identity.ts';
import type { DataDir } from './data-dir.ts';

const termMs = 3_000;
const killMs = 3_000;

/**
 * Stops a nats-server that an earlier, crashed toolbus left on this directory, and resolves with its process number.
 * To be called with the lock held. A process is only touched when its command line shows that it runs on our configuration file.
 */
export async function stopLeftover(dir: DataDir): Promise<number | undefined> {
  const pid = Number(await readFile(dir.pid, 'utf8').catch(() => ''));
  if (pid <= 0 || !runsOn(dir, pid)) {
    await rm(dir.pid, { force: true });
    return undefined;
  }
  const mark = processMark(pid);
  for (const [signal, waitMs] of [
    ['SIGTERM', termMs],
    ['SIGKILL', killMs],
  ] as const) {
    if (mark === undefined || processMark(pid) !== mark) break;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EPERM') break;
    }
    const until = performance.now() + waitMs;
    while (processMark(pid) === mark && performance.now() < until) await sleep(5);
  }
  if (mark !== undefined && processMark(pid) === mark) {
    throw new OperatorError(exitCode.unexpected, `the old nats-server ${pid} on ${dir.root} cannot be stopped`, {
      hint: `stop process ${pid}, or choose another directory with --data-dir`,
    });
  }
  await rm(dir.pid, { force: true });
  return pid;
}

function runsOn(dir: DataDir, pid: number): boolean {
  const words = commandLine(pid);
  if (words === undefined) return false;
  // Where the system gives the command line as one text, the path is its end: ours are the last words of it.
  return words.length === 1
    ? (words[0]?.endsWith(` -c ${dir.config}`) ?? false)
    : words.length === 3 && words[1] === '-c' && words[2] === dir.config;
}
