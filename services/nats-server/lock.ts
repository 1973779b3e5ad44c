import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { processMark } from '../../shared/process/process-identity.ts';

export interface Lock {
  /** Removes the lock file if it is still ours. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** When that process started, so that a later process with the same number is not taken for it. */
  readonly mark: string;
  readonly host: string;
}

/** How often a holder touches its file, and how old an untouched file of another host may be, in milliseconds. */
const touchEveryMs = 5_000;
const foreignStaleMs = 15_000;

/** The gate is held for the length of a few system calls; an older one was left by a crash in just that moment. */
const gateStaleMs = 10_000;
const gateWaitMs = 20;

/**
 * Takes the lock file, or throws an `OperatorError` that names the living holder. A dead holder's lock is taken over.
 * nats-server itself does not lock its store: two on one directory destroy it.
 */
export async function acquireLock(path: string): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, mark: processMark(process.pid) ?? '', host: hostname() });
  const gate = `${path}.gate`;
  for (let waitedMs = 0; waitedMs < 2 * gateStaleMs; waitedMs += gateWaitMs) {
    refuseIfHeld(path);
    // Judging a lock and replacing it must be one step, or two processes replace the same dead lock and then each other's.
    if (createGate(gate)) {
      try {
        refuseIfHeld(path);
        writeFileSync(`${path}.new`, mine, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } finally {
        rmSync(gate, { force: true });
      }
      return held(path, mine);
    }
    if (ageMs(gate) > gateStaleMs) rmSync(gate, { force: true });
    await sleep(gateWaitMs);
  }
  throw refusal(path, 'another process');
}

function held(path: string, mine: string): Lock {
  // Only other hosts look at the time: they cannot look at our process.
  const touch = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // Removed by hand; the next owner will find no lock.
    }
  }, touchEveryMs).unref();
  return {
    release() {
      clearInterval(touch);
      if (read(path) === mine) rmSync(path, { force: true });
    },
  };
}

function createGate(gate: string): boolean {
  try {
    closeSync(openSync(gate, 'wx', 0o600));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function refuseIfHeld(path: string): void {
  const holder = parse(read(path) ?? '');
  if (holder === undefined) return;
  const { pid, mark, host } = holder;
  if (host === hostname()) {
    if (processMark(pid) === mark) throw refusal(path, `process ${pid}`);
  } else if (ageMs(path) < foreignStaleMs) {
    throw refusal(path, `process ${pid} on ${host}`);
  }
}

function refusal(path: string, who: string): OperatorError {
  return new OperatorError(exitCode.usage, `the data directory is in use by ${who} (${path})`, {
    hint: 'stop that toolbus, or choose another directory with --data-dir',
  });
}

/** Milliseconds since the file was written or touched; 0 when it is gone. */
function ageMs(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs;
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, mark, host }: Partial<Record<string, unknown>> = JSON.parse(text);
    return typeof pid === 'number' && typeof mark === 'string' && typeof host === 'string'
      ? { pid, mark, host }
      : undefined;
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
