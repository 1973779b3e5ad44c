import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BusAddress } from '../../../shared/bus/connect.ts';
import type { ServerConfig } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/log.ts';
import { type GuardedChild, spawnGuarded } from '../../../shared/process/guarded-child.ts';
import { writeAssignment, writeCallKeys } from './assignment.ts';

export interface FleetOptions {
  /** The server's way to NATS. Resolves when that can be reached; processes are started before, to be ready by then. */
  busOf(server: string): Promise<BusAddress>;
  /** With which calls of the server are signed. */
  callKeysOf(server: string): Promise<readonly Buffer[]>;
  readonly tenant: string;
  readonly logLevel: string;
  readonly cwd: string;
  readonly log: Logger;
}

/** The worker processes of `up`: started, started again when they die, stopped. */
export interface Fleet {
  /** Starts `config.instances` workers of a server; returns their process ids. */
  start(server: string, config: ServerConfig): readonly number[];
  /** Lets the workers with these process ids finish what runs, then ends them. */
  stop(pids: readonly number[]): Promise<void>;
  /** Process ids of a server's workers now. */
  pidsOf(server: string): readonly number[];
  close(): Promise<void>;
}

interface Slot {
  readonly server: string;
  readonly config: ServerConfig;
  child: GuardedChild | undefined;
  stopping: boolean;
  failures: number;
}

/** Longer than the worker's own 10 s for what is in flight. */
const graceMs = 12_000;
const firstBackoffMs = 200;
const longestBackoffMs = 30_000;
/** A worker that lived this long starts again at once when it dies. */
const healthyMs = 10_000;

/** Beside this file, in the sources as in the build. */
const program = fileURLToPath(new URL(`./supervised-worker${import.meta.url.slice(-3)}`, import.meta.url));

/** A checkout that was never built runs its sources. */
const loader = program.endsWith('.ts') ? [`--import=${import.meta.resolve('tsx')}`] : [];

export function createFleet(options: FleetOptions): Fleet {
  const { log } = options;
  const slots = new Set<Slot>();

  function spawn(slot: Slot): void {
    const child = spawnGuarded({
      command: process.execPath,
      args: [...process.execArgv, ...loader, program, 'worker', slot.server],
      env: process.env,
      cwd: options.cwd,
    });
    options
      .busOf(slot.server)
      .then(async (bus) => {
        const { tenant, logLevel } = options;
        writeAssignment(child.stdin, { config: slot.config, bus, tenant, logLevel });
        writeCallKeys(child.stdin, await options.callKeysOf(slot.server));
      })
      .catch(() => child.stdin.end());
    slot.child = child;
    child.stdout.resume();
    child.stderr.pipe(process.stderr, { end: false });
    const startedAt = performance.now();
    void child.exited.then(async ({ code, signal }) => {
      if (slot.stopping) return;
      slot.failures = performance.now() - startedAt > healthyMs ? 0 : slot.failures + 1;
      const pause = slot.failures === 0 ? 0 : Math.min(longestBackoffMs, firstBackoffMs * 2 ** (slot.failures - 1));
      log.warn({ server: slot.server, code, signal, restartInMs: pause }, 'a worker ended; starting it again');
      await sleep(pause);
      if (!slot.stopping) spawn(slot);
    });
  }

  async function end(slot: Slot): Promise<void> {
    slot.stopping = true;
    slots.delete(slot);
    await slot.child?.stop({ graceMs });
  }

  const select = (test: (slot: Slot) => boolean) => [...slots].filter(test);

  return {
    start(server, config) {
      return Array.from({ length: config.instances }, () => {
        const slot: Slot = { server, config, child: undefined, stopping: false, failures: 0 };
        slots.add(slot);
        spawn(slot);
        return slot.child?.pid ?? 0;
      });
    },
    async stop(pids) {
      await Promise.all(select((slot) => slot.child !== undefined && pids.includes(slot.child.pid)).map(end));
    },
    pidsOf: (server) => select((slot) => slot.server === server).flatMap((slot) => slot.child?.pid ?? []),
    async close() {
      await Promise.all([...slots].map(end));
    },
  };
}
