import { readFileSync } from 'node:fs';

/** What the kernel has counted since the machine started, over all CPUs, in clock ticks. */
export interface MachineTime {
  /** Ticks in which something of this machine ran. */
  readonly busy: number;
  /** Ticks in which something of this machine could have run, but another guest had the CPU. */
  readonly stolen: number;
}

/** Reads the first line of /proc/stat: cpu user nice system idle iowait irq softirq steal guest guest_nice (guest is part of user). */
export function parseMachineTime(stat: string): MachineTime {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = (stat.split('\n', 1)[0] ?? '')
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { busy: user + nice + system + irq + softirq, stolen };
}

/** The part of the CPU time asked for in between that other guests took: 0 … 1, and 0 when nothing was asked for. */
export function stolenShare(before: MachineTime, after: MachineTime): number {
  const stolen = after.stolen - before.stolen;
  const asked = after.busy - before.busy + stolen;
  return asked > 0 && stolen > 0 ? stolen / asked : 0;
}

/** Undefined where there is no /proc: there, no window is known to be disturbed. */
export function openMachineClock(): (() => MachineTime) | undefined {
  return process.platform === 'linux' ? () => parseMachineTime(readFileSync('/proc/stat', 'latin1')) : undefined;
}
