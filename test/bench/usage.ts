import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that a process has used up to a moment. */
export interface CpuReading {
  /** Nanoseconds of each thread that runs at this moment. */
  readonly threads: ReadonlyMap<string, number>;
  /** Seconds of all threads, also of those that have ended, in steps of 10 ms. */
  readonly coarseSeconds: number;
}

/** What the kernel says a process has used, read from /proc; Linux only. */
export interface Usage {
  /** Throws when there is no such process any more. */
  cpu(pid: number): CpuReading;
  /** Resident memory in MiB. */
  rssMiB(pid: number): number;
}

/** Undefined where there is no /proc: those figures are left out there. */
export function openUsage(): Usage | undefined {
  if (process.platform !== 'linux') return undefined;
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return {
    cpu: (pid) => ({ threads: threadTimes(pid), coarseSeconds: coarseSeconds(pid, ticksPerSecond) }),
    rssMiB(pid) {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
      return Number(kib ?? Number.NaN) / 1024;
    },
  };
}

/** CPU seconds between two readings of one process. What a thread used that has ended in between is known in steps of 10 ms only. */
export function cpuSeconds(before: CpuReading, after: CpuReading): number {
  for (const thread of before.threads.keys()) {
    if (!after.threads.has(thread)) return after.coarseSeconds - before.coarseSeconds;
  }
  let nanoseconds = 0;
  for (const [thread, used] of after.threads) nanoseconds += used - (before.threads.get(thread) ?? 0);
  return nanoseconds / 1e9;
}

/** /proc/PID/schedstat is of the first thread alone, so each one is asked; the first field is its time on a CPU in nanoseconds. */
function threadTimes(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      times.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]));
    } catch {
      // It has ended since the list was read.
    }
  }
  return times;
}

function coarseSeconds(pid: number, ticksPerSecond: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name of the process stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
