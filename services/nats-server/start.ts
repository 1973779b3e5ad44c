import { randomBytes, randomInt } from 'node:crypto';
import { access, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Permissions } from '../../shared/bus/roles.ts';
import { exitCode, OperatorError } from '../../shared/errors.ts';
import { type ClusterMember, type NatsUser, natsServerConfig } from './config.ts';
import { openDataDir } from './data-dir.ts';
import { LaunchError, launch, type RunningServer } from './launch.ts';
import { stopLeftover } from './leftover.ts';
import { locateNatsServer } from './locate.ts';
import { acquireLock } from './lock.ts';
import { canLogin } from './login.ts';

export interface NatsServerOptions {
  readonly dataDir: string;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** The binary to run; by default `locateNatsServer` looks for one. */
  readonly binary?: string | undefined;
  readonly maxPayload?: number | undefined;
  readonly maxStoreBytes?: number | undefined;
  readonly syncAlways?: boolean | undefined;
  /** Only the members of a cluster fix these: they must know each other's. */
  readonly port?: number | undefined;
  readonly password?: string | undefined;
  readonly serverName?: string | undefined;
  readonly cluster?: ClusterMember | undefined;
  /** Of the first user, whose password is returned. Absent: everything. */
  readonly ownPermissions?: Permissions | undefined;
  /** More users from the start, by name. */
  readonly users?: ReadonlyMap<string, Permissions> | undefined;
  /** How often in a row it may end or fail to start before it is given up. Default 10, some 20 seconds. */
  readonly mostFailures?: number | undefined;
}

export interface NatsServer {
  /** nats://127.0.0.1:PORT, the same for as long as it runs, through every restart. Holds no credentials. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
  readonly version: string;
  /** Times it ended by itself and was started again. */
  readonly restarts: number;
  /** One of the users from the start, or added since. */
  userOf(name: string): NatsUser | undefined;
  /** Lets another user in, in force when it resolves. A name that is known gets its password again, and these permissions. */
  addUser(name: string, permissions: Permissions): Promise<NatsUser>;
  /** Called when it has ended and is not started again: it failed too often. */
  onExit(callback: (error: Error) => void): void;
  /** Stops it, waits for its end, removes lock, credentials and pid file. The streams stay. */
  close(): Promise<void>;
}

const readyTimeoutMs = 5_000;
/** With messages to recover, a slow start is work, not a fault. */
const recoveryTimeoutMs = 60_000;
const stopMs = 5_000;
/** For a changed configuration to be in force, and between two looks. */
const reloadMs = 5_000;
const reloadPollMs = 10;
const loginMs = 1_000;

/** A server that lived this long has recovered; the next end is a new story. */
const healthyMs = 30_000;
const firstBackoffMs = 50;
const longestBackoffMs = 5_000;

/**
 * Runs nats-server on 127.0.0.1 with JetStream in `dataDir` and a random password, starts it again on the same port when it dies,
 * and lets it outlive neither `close` nor us. Resolves when it takes connections.
 * Throws an `OperatorError`: no binary, directory in use, or the server's own last words.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { log, mostFailures = 10 } = options;
  const dir = await openDataDir(options.dataDir);
  const lock = await acquireLock(dir.lock);
  const stopping = new AbortController();
  const giveUp: ((error: Error) => void)[] = [];
  const user = 'toolbus';
  const password = options.password ?? randomBytes(32).toString('base64url');

  async function cleanUp(): Promise<void> {
    for (const file of [dir.config, dir.pid, ...(await readdir(dir.ports)).map((name) => join(dir.ports, name))]) {
      await rm(file, { force: true });
    }
    lock.release();
  }

  const others = new Map<string, NatsUser>();
  const setUser = (name: string, permissions: Permissions): NatsUser => {
    const made = {
      user: name,
      password: others.get(name)?.password ?? randomBytes(32).toString('base64url'),
      permissions,
    };
    others.set(name, made);
    return made;
  };
  for (const [name, permissions] of options.users ?? []) setUser(name, permissions);
  const binary = { path: options.binary ?? '' };
  const configFor = (port: number) =>
    natsServerConfig({
      ...options,
      serverName: options.serverName ?? 'toolbus',
      port,
      users: [{ user, password, permissions: options.ownPermissions }, ...others.values()],
      storeDir: dir.store,
      portsDir: dir.ports,
      pidFile: dir.pid,
      logFile: dir.log,
    });

  async function run(port: number): Promise<RunningServer> {
    const config = configFor(port);
    const timeoutMs = (await exists(dir.store)) ? recoveryTimeoutMs : readyTimeoutMs;
    return launch({ binary: binary.path, dir, config, port, readyTimeoutMs: timeoutMs, signal: stopping.signal });
  }

  let port: number;
  let server: RunningServer;
  try {
    const [located, leftover] = await Promise.all([
      options.binary ?? locateNatsServer({ checkedFile: dir.checkedBinary }).then(({ path }) => path),
      stopLeftover(dir),
    ]);
    binary.path = located;
    if (leftover !== undefined) log.warn({ pid: leftover }, 'stopped a nats-server left behind by a crash');
    ({ port, server } = await firstRun(options.port, run));
  } catch (error) {
    await cleanUp();
    throw error instanceof LaunchError
      ? new OperatorError(exitCode.unreachable, error.message, { cause: error, hint: `its log: ${dir.log}` })
      : error;
  }
  log.info({ childPid: server.child.pid, port, version: server.version }, 'nats-server ready');

  let restarts = 0;
  const supervision = supervise();

  async function supervise(): Promise<void> {
    let failures = 0;
    let since = performance.now();
    for (;;) {
      const exit = await server.child.exited;
      if (stopping.signal.aborted) return;
      failures = performance.now() - since > healthyMs ? 1 : failures + 1;
      log.error({ pid: server.child.pid, ...exit, failures }, 'nats-server ended; starting it again');
      for (;;) {
        if (failures >= mostFailures) return abandon();
        const backoffMs = Math.min(firstBackoffMs * 2 ** (failures - 1), longestBackoffMs);
        await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
        if (stopping.signal.aborted) return;
        try {
          server = await run(port);
          if (!stopping.signal.aborted) break;
          // Closed in the very moment it became ready.
          await server.child.stop({ graceMs: stopMs, eof: false });
          return;
        } catch (error) {
          if (stopping.signal.aborted) return;
          failures += 1;
          log.error({ err: error, failures }, 'nats-server did not start again');
        }
      }
      since = performance.now();
      restarts += 1;
      log.warn({ childPid: server.child.pid, port, restarts }, 'nats-server is back');
    }
  }

  function abandon(): void {
    const error = new OperatorError(exitCode.unexpected, `nats-server ended ${mostFailures} times in a row`, {
      hint: `its log: ${dir.log}`,
    });
    log.error({ err: error }, 'nats-server is given up');
    for (const callback of giveUp) callback(error);
  }

  async function shutDown(): Promise<void> {
    stopping.abort();
    await server.child.stop({ graceMs: stopMs, eof: false });
    // A restart that was under way ends its own server.
    await supervision;
    await cleanUp();
  }

  let reloading: Promise<unknown> = Promise.resolve();
  async function reload(added: NatsUser): Promise<void> {
    const draft = `${dir.config}.new`;
    await writeFile(draft, configFor(port), { mode: 0o600 });
    await rename(draft, dir.config);
    server.child.kill('SIGHUP');
    const until = performance.now() + reloadMs;
    while (!(await canLogin(port, added.user, added.password, loginMs))) {
      // A server that is being started again reads the new file in any case.
      if (performance.now() > until || stopping.signal.aborted) {
        throw new OperatorError(exitCode.unexpected, `nats-server did not let the user ${added.user} in`, {
          hint: `its log: ${dir.log}`,
        });
      }
      await sleep(reloadPollMs);
    }
  }

  let closed: Promise<void> | undefined;
  return {
    userOf: (name) => others.get(name),
    addUser(name, permissions) {
      const added = setUser(name, permissions);
      const done = reloading.then(() => reload(added));
      reloading = done.catch(() => undefined);
      return done.then(() => added);
    },
    url: `nats://127.0.0.1:${port}`,
    user,
    password,
    get pid() {
      return server.child.pid;
    },
    get version() {
      return server.version;
    },
    get restarts() {
      return restarts;
    },
    onExit(callback) {
      giveUp.push(callback);
    },
    close() {
      closed ??= shutDown();
      return closed;
    },
  };
}

/**
 * Looks for a free port by trying. Below the range that systems hand out to outgoing connections: else, while the server
 * restarts, some connection (even a client's attempt to reach the server) could be given its port.
 */
async function firstRun(
  fixed: number | undefined,
  run: (port: number) => Promise<RunningServer>,
): Promise<{ port: number; server: RunningServer }> {
  for (let attempt = 0; ; attempt += 1) {
    const port = fixed ?? randomPort();
    try {
      return { port, server: await run(port) };
    } catch (error) {
      const another = fixed === undefined && attempt < 10 && error instanceof LaunchError && error.portTaken;
      if (!another) throw error;
    }
  }
}

/** A port that nobody is given by chance, on any system's default range of those. */
export function randomPort(): number {
  return randomInt(20_000, 30_000);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
