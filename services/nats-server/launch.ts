import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnv } from '../../shared/process/child-env.ts';
import { type GuardedChild, spawnGuarded } from '../../shared/process/guarded-child.ts';
import type { DataDir } from './data-dir.ts';

export interface RunningServer {
  readonly child: GuardedChild;
  readonly version: string;
}

export interface LaunchOptions {
  readonly binary: string;
  readonly dir: DataDir;
  /** The configuration file's text. */
  readonly config: string;
  readonly port: number;
  readonly readyTimeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/** A start that failed, with what the server said last. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
  readonly portTaken: boolean;

  constructor(message: string, logTail: string) {
    super(logTail === '' ? message : `${message}\n${logTail}`);
    this.portTaken = /address already in use|Error listening on/.test(logTail);
  }
}

const pollMs = 2;
const tailBytes = 2_048;

/** Starts nats-server once and resolves when it takes connections. Throws a `LaunchError` and leaves no process when it does not. */
export async function launch(options: LaunchOptions): Promise<RunningServer> {
  const { binary, dir, readyTimeoutMs, signal } = options;
  await rm(dir.config, { force: true });
  await writeFile(dir.config, options.config, { mode: 0o600, flag: 'wx' });
  for (const file of await readdir(dir.ports)) await rm(join(dir.ports, file), { force: true });
  const logStart = (await stat(dir.log).catch(() => undefined))?.size ?? 0;

  const child = spawnGuarded({ command: binary, args: ['-c', dir.config], env: childEnv({}), cwd: dir.root });
  let said = '';
  // Only what comes before the log file is open, and the stack of a crash.
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-tailBytes);
    });
  }
  const failed = async (message: string) => new LaunchError(message, `${said}${await tail(dir.log, logStart)}`.trim());

  let ended = false;
  child.exited.then(() => {
    ended = true;
  });
  const until = performance.now() + readyTimeoutMs;
  try {
    while (!(await isListening(dir.ports))) {
      if (ended) {
        const { code, signal: by } = await child.exited;
        throw await failed(`nats-server ended at its start (${by ?? `exit code ${code}`})`);
      }
      if (signal.aborted) throw await failed('nats-server was stopped at its start');
      if (performance.now() > until) throw await failed(`nats-server was not ready within ${readyTimeoutMs} ms`);
      await sleep(pollMs);
    }
    return { child, version: await askVersion(options.port, until - performance.now()) };
  } catch (error) {
    await child.stop({ graceMs: 2_000, eof: false });
    throw error;
  }
}

/** The server writes its ports file when it has begun to listen; we emptied the directory, so any file in it is its. */
async function isListening(directory: string): Promise<boolean> {
  for (const file of await readdir(directory)) {
    if (!file.endsWith('.ports')) continue;
    try {
      JSON.parse(await readFile(join(directory, file), 'utf8'));
      return true;
    } catch {
      // Not written to its end yet.
    }
  }
  return false;
}

/** The first line that a nats-server says to anybody who connects is INFO with its version. */
function askVersion(port: number, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port }).setEncoding('utf8').setTimeout(Math.max(1, timeoutMs));
    const settle = (outcome: () => void) => {
      socket.destroy();
      outcome();
    };
    socket.on('data', (text: string) => {
      heard += text;
      const [, version] = /^INFO .*?"version":"([^"]{1,64})".*\r\n/s.exec(heard) ?? [];
      if (version !== undefined) settle(() => resolve(version));
      else if (heard.length > 65_536) settle(() => reject(new LaunchError('what listens is not a nats-server', '')));
    });
    socket.on('timeout', () => settle(() => reject(new LaunchError('nats-server listens but does not answer', ''))));
    socket.on('error', (error) => settle(() => reject(new LaunchError(error.message, ''))));
    socket.on('close', () => settle(() => reject(new LaunchError('nats-server closed the connection', ''))));
  });
}

/** The end of the log file, of what was written behind `start`. */
async function tail(path: string, start: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    // A smaller file is a new one: the server has rotated it.
    const from = Math.max(size < start ? 0 : start, size - tailBytes);
    const buffer = Buffer.alloc(size - from);
    await file.read(buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}
