import { readFileSync } from 'node:fs';
import { descendantsOf } from '../helpers/processes.ts';

/** Processes of Node below and including `pid`, without the servers that a test started: `isServer` knows those by their command lines. */
export function ownProcesses(pid: number, isServer: (command: string) => boolean): number[] {
  const workers = descendantsOf(pid).filter(
    ({ command }) => command.startsWith(process.execPath) && !isServer(command),
  );
  return [pid, ...workers.map((worker) => worker.pid)];
}

/** Most memory that a process ever had, in bytes. Linux only: reads /proc. */
export function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
