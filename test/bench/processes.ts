import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process of a target, measured by its pid. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** What it said on its ready line. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly child: ChildProcess;
  /** SIGTERM, after 3 s SIGKILL; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface Start {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** True for a process that talks over the IPC channel of `child_process`. */
  readonly ipc?: boolean;
  /** Finds the ready facts in a line of output; undefined while it is not the ready line. Default: a JSON line with `event: ready`. */
  readonly ready?: (line: string) => Readonly<Record<string, unknown>> | undefined;
}

/** Starts processes and ends each of them, whatever becomes of the benchmark. */
export interface Processes {
  /** Resolves at the ready line; rejects with the tail of the output after 20 s or when the process ends first. */
  start(options: Start): Promise<Running>;
  /** Ends what is running; more may be started afterwards. */
  stopAll(): Promise<void>;
  close(): Promise<void>;
}

const readyWithinMs = 20_000;
const killAfterMs = 3_000;

export function createProcesses(): Processes {
  const running = new Set<Running>();
  const reaper = spawn(process.execPath, [fileURLToPath(new URL('./reaper.js', import.meta.url))], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  reaper.unref();

  const stopAll = async () => {
    await Promise.all([...running].map((process) => process.stop()));
  };
  return {
    stopAll,
    async start(options) {
      const child = spawn(options.command, options.args, {
        stdio: options.ipc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
        // Samples cross as what they are, not as text.
        serialization: 'advanced',
        ...(options.env === undefined ? {} : { env: options.env }),
      });
      const { pid } = child;
      if (pid !== undefined) reaper.stdin?.write(`+${pid}\n`);
      child.on('exit', () => reaper.stdin?.write(`-${pid}\n`));
      try {
        const facts = await readyLine(child, options);
        const process: Running = {
          name: options.name,
          pid: pid!,
          facts,
          child,
          async stop() {
            running.delete(process);
            await end(child);
          },
        };
        running.add(process);
        return process;
      } catch (error) {
        await end(child);
        throw error;
      }
    },
    async close() {
      await stopAll();
      reaper.stdin?.end();
    },
  };
}

function readyLine(child: ChildProcess, options: Start): Promise<Readonly<Record<string, unknown>>> {
  const parse = options.ready ?? jsonReady;
  return new Promise((resolve, reject) => {
    let output = '';
    let unread = '';
    const fail = (why: string) => reject(new Error(`${options.name} ${why}\n${output.slice(-2000)}`.trimEnd()));
    const timer = setTimeout(() => fail(`was not ready within ${readyWithinMs / 1000} s`), readyWithinMs);
    const look = (piece: Buffer) => {
      output = `${output}${piece}`.slice(-4000);
      const lines = `${unread}${piece}`.split('\n');
      unread = lines.pop()!.slice(-100_000);
      for (const line of lines) {
        const facts = parse(line);
        if (facts === undefined) continue;
        clearTimeout(timer);
        resolve(facts);
      }
    };
    // Both streams are read to the end: a full pipe would stop the process.
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.on('error', (error) => fail(`did not start: ${error.message}`));
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? code} before it was ready`);
    });
  });
}

function jsonReady(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const facts: Record<string, unknown> = JSON.parse(line);
    return facts['event'] === 'ready' ? facts : undefined;
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  await gone;
  clearTimeout(timer);
}
