import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** A process of ours, named so that a pid used again is not mistaken for it. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot at which it began (`/proc/PID/stat`, field 22). */
  readonly startTime: string;
  readonly command: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Running<Ready> {
  readonly pid: number;
  readonly ready: Ready;
  /** Lines of stderr so far. */
  readonly logs: readonly string[];
  /** Lines of stdout so far. */
  readonly output: readonly string[];
  readonly exited: Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL for the whole process group after `graceMs`. */
  stop(graceMs?: number): Promise<Exit>;
}

export interface StartOptions<Ready> {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Looks at each line of stdout; the first value that is not undefined makes the process ready. */
  ready(line: string): Ready | undefined;
  readonly timeoutMs?: number;
}

/** Starts a process in its own group and waits until it says that it is ready. Rejects with its stderr when it ends or stays silent. */
export async function startProcess<Ready>(options: StartOptions<Ready>): Promise<Running<Ready>> {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const logs: string[] = [];
  const output: string[] = [];
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', () => resolve({ code: -1, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  createInterface({ input: child.stderr }).on('line', (line) => void logs.push(line));
  const what = [options.command, ...options.args].join(' ');
  const ready = await new Promise<Ready>((resolve, reject) => {
    const fail = (why: string): void => {
      killGroup(child, 'SIGKILL');
      reject(new Error(`${what}: ${why}\n${[...output, ...logs].slice(-40).join('\n')}`));
    };
    const timer = setTimeout(() => fail('not ready in time'), options.timeoutMs ?? 30_000);
    createInterface({ input: child.stdout }).on('line', (line) => {
      output.push(line);
      const value = options.ready(line);
      if (value === undefined) return;
      clearTimeout(timer);
      resolve(value);
    });
    void exited.then(({ code, signal }) => {
      clearTimeout(timer);
      // What it still wrote arrives after its end.
      setTimeout(() => fail(`ended with ${code ?? signal}`), 50);
    });
  });
  return {
    pid: child.pid ?? -1,
    ready,
    logs,
    output,
    exited,
    signal: (signal) => void child.kill(signal),
    async stop(graceMs = 15_000) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => killGroup(child, 'SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

interface Stat extends ProcessId {
  readonly parent: number;
  readonly state: string;
}

function statOf(pid: number): Stat | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command stands in parentheses and may hold spaces.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '', command };
  } catch {
    return undefined;
  }
}

/** Every living process below `pid`, without `pid` itself. Linux only. */
export function descendantsOf(pid: number): ProcessId[] {
  const children = new Map<number, Stat[]>();
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat]);
  }
  const found: ProcessId[] = [];
  const walk = (parent: number): void => {
    for (const stat of children.get(parent) ?? []) {
      found.push(stat);
      walk(stat.pid);
    }
  };
  walk(pid);
  return found;
}

/** Those of the processes that still run (a zombie does not). */
export function survivorsOf(processes: readonly ProcessId[]): ProcessId[] {
  return processes.filter(({ pid, startTime }) => {
    const stat = statOf(pid);
    return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z';
  });
}

/** Waits until none of the processes runs any more; throws and names them after `withinMs`, and ends them. */
export async function assertGone(processes: readonly ProcessId[], withinMs: number): Promise<void> {
  const end = Date.now() + withinMs;
  while (survivorsOf(processes).length > 0 && Date.now() < end) await delay(50);
  const left = survivorsOf(processes);
  if (left.length === 0) return;
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  throw new Error(
    `still running after ${withinMs} ms: ${left.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`,
  );
}
