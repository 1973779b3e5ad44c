import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
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

/** Long enough for a holder to write the file that it has just created. */
const unwrittenMs = 1_000;

/**
 * Takes the lock file, or throws an `OperatorError` that names the living holder. A dead holder's lock is taken over.
 * nats-server itself does not lock its store: two on one directory destroy it.
 */
export async function acquireLock(path: string): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, mark: processMark(process.pid) ?? '', host: hostname() });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (create(path, mine)) return held(path, mine);
    const found = inspect(path);
    if (found === 'gone') continue;
    if (found === 'unwritten') {
      await sleep(20);
      continue;
    }
    if (found.living) throw refusal(path, found.holder);
    removeStale(path, found.text);
  }
  throw refusal(path, undefined);
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

function create(path: string, text: string): boolean {
  try {
    const fd = openSync(path, 'wx', 0o600);
    writeSync(fd, text);
    closeSync(fd);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

type Found =
  | 'gone'
  | 'unwritten'
  | { readonly text: string; readonly holder: Holder | undefined; readonly living: boolean };

function inspect(path: string): Found {
  const text = read(path);
  const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN);
  if (text === undefined || Number.isNaN(ageMs)) return 'gone';
  const holder = parse(text);
  if (holder === undefined) return ageMs < unwrittenMs ? 'unwritten' : { text, holder, living: false };
  const living = holder.host === hostname() ? processMark(holder.pid) === holder.mark : ageMs < foreignStaleMs;
  return { text, holder, living };
}

/** Moves the file away before removing it: whoever else takes over at this moment may have put its own in the place. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = read(aside);
  if (moved !== undefined && moved !== stale) create(path, moved);
  rmSync(aside, { force: true });
}

function refusal(path: string, holder: Holder | undefined): OperatorError {
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`}`;
  return new OperatorError(exitCode.usage, `the data directory is in use by ${who} (${path})`, {
    hint: 'stop that toolbus, or choose another directory with --data-dir',
  });
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
