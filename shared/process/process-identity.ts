import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * What tells this process from a later one with the same number: when it started, and in which boot.
 * Undefined when no such process is alive (a zombie is not).
 */
export function processMark(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const stat = read(`/proc/${pid}/stat`);
  if (stat !== undefined) {
    // The name stands in parentheses and may itself hold spaces and parentheses; the state follows the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startTicks = fields[19];
    if (state === 'Z' || state === 'X') return undefined;
    return `${read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}:${startTicks}`;
  }
  if (process.platform === 'linux' || !isAlive(pid)) return undefined;
  return process.platform === 'win32' ? 'alive' : ps(pid, 'lstart=');
}

/** The command line of a living process, one string per argument where the system tells them apart, else one string in all. */
export function commandLine(pid: number): readonly string[] | undefined {
  const raw = read(`/proc/${pid}/cmdline`);
  if (raw !== undefined) return raw.split('\0').slice(0, -1);
  if (process.platform === 'linux' || process.platform === 'win32') return undefined;
  const line = ps(pid, 'command=');
  return line === undefined ? undefined : [line];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    return (
      execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', timeout: 5000 }).trim() || undefined
    );
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
