import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What the kernel says a process has used, read from /proc; Linux only. */
export interface Usage {
  /** CPU seconds since its start, all threads, user and system. */
  cpuSeconds(pid: number): number;
  /** Resident memory in MiB. */
  rssMiB(pid: number): number;
}

/** Undefined where there is no /proc: those figures are left out there. */
export function openUsage(): Usage | undefined {
  if (process.platform !== 'linux') return undefined;
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return {
    cpuSeconds(pid) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // The name of the process stands in parentheses and may hold spaces; utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    rssMiB(pid) {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
      return Number(kib ?? Number.NaN) / 1024;
    },
  };
}
