import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertGone, descendantsOf, type Exit, type ProcessId, type Running, startProcess } from './processes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin', 'toolbus.js');

export interface ReadyServer {
  readonly name: string;
  readonly status: string;
  readonly tools?: number;
  readonly error?: string;
  readonly hint?: string;
}

/** The ready line of `up` and `ingress`. */
export interface ReadyLine {
  readonly event: 'ready';
  readonly mcp: string;
  readonly admin: string;
  readonly nats: string;
  readonly pid: number;
  readonly key?: string;
  readonly servers: readonly ReadyServer[];
}

/** The ready line of `worker`. */
export interface WorkerReadyLine {
  readonly event: 'ready';
  readonly server: string;
  readonly instance: string;
  readonly tools: number;
}

export interface StartToolbusOptions {
  /** Becomes the config file; absent: toolbus looks for one itself. */
  readonly config?: object;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Directory for the data and the config file; made and removed when it is not given. */
  readonly dir?: string;
}

export interface Toolbus<Ready = ReadyLine> {
  readonly ready: Ready;
  readonly pid: number;
  readonly logs: readonly string[];
  readonly output: readonly string[];
  readonly exited: Promise<Exit>;
  readonly configFile: string;
  readonly dir: string;
  /** Replaces the config file in one step, as editors do. */
  writeConfig(config: object | string): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM; resolves with how it ended. Throws when a process below it outlives it. */
  stop(): Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `toolbus up` on free ports, ready. */
export function startToolbus(options: StartToolbusOptions = {}): Promise<Toolbus> {
  return start(options, (configFile, dir) => ['up', ...configFile, ...ports, '--data-dir', join(dir, 'data')], isReady);
}

/** `toolbus ingress` on free ports, ready, joined to `nats`. */
export function startIngress(nats: string, options: StartToolbusOptions): Promise<Toolbus> {
  return start(options, (configFile) => ['ingress', ...configFile, ...ports, '--nats', nats], isReady);
}

/** `toolbus worker SERVER`, ready, joined to `nats`. */
export function startWorker(
  server: string,
  nats: string,
  options: StartToolbusOptions,
): Promise<Toolbus<WorkerReadyLine>> {
  return start(options, (configFile) => ['worker', server, ...configFile, '--nats', nats], isWorkerReady);
}

const ports = ['--port', '0', '--admin-port', '0'];

async function start<Ready>(
  options: StartToolbusOptions,
  command: (configFile: string[], dir: string) => string[],
  isExpected: (value: unknown) => value is Ready,
): Promise<Toolbus<Ready>> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'toolbus-test-'));
  const configFile = join(dir, 'toolbus.yaml');
  if (options.config) writeFileSync(configFile, JSON.stringify(options.config, null, 2));
  const args = command(options.config ? ['--config', configFile] : [], dir);
  const running = await startProcess({
    command: process.execPath,
    args: [bin, ...args, '--json', ...(options.args ?? [])],
    cwd: dir,
    env: { ...quiet, ...options.env },
    ready: (line) => readyLine(line, isExpected),
  });
  return toolbusOf(running, dir, configFile, options.dir === undefined);
}

/** Nothing of the machine's own configuration may reach a test. */
const quiet = { XDG_CONFIG_HOME: '/nonexistent', NATS_URL: undefined, TOOLBUS_CONFIG: undefined };

function toolbusOf<Ready>(running: Running<Ready>, dir: string, configFile: string, ownsDir: boolean): Toolbus<Ready> {
  const stop = async (): Promise<Exit> => {
    const below = descendantsOf(running.pid);
    const exit = await running.stop();
    await assertGone(below, 2000);
    return exit;
  };
  return {
    ready: running.ready,
    pid: running.pid,
    logs: running.logs,
    output: running.output,
    exited: running.exited,
    configFile,
    dir,
    writeConfig: (config) =>
      writeFileSync(configFile, typeof config === 'string' ? config : JSON.stringify(config, null, 2)),
    signal: running.signal,
    stop,
    async [Symbol.asyncDispose]() {
      try {
        await stop();
      } finally {
        if (ownsDir) rmSync(dir, { recursive: true, force: true });
      }
    },
  };
}

function readyLine<Ready>(line: string, isExpected: (value: unknown) => value is Ready): Ready | undefined {
  if (!line.startsWith('{')) return undefined;
  const value: unknown = JSON.parse(line);
  return isExpected(value) ? value : undefined;
}

const hasEvent = (value: unknown): value is { event: unknown } =>
  typeof value === 'object' && value !== null && 'event' in value;
const isReady = (value: unknown): value is ReadyLine => hasEvent(value) && value.event === 'ready' && 'mcp' in value;
const isWorkerReady = (value: unknown): value is WorkerReadyLine =>
  hasEvent(value) && value.event === 'ready' && 'instance' in value;

export interface CommandResult extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of toolbus to its end. */
export function runToolbus(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? tmpdir(),
      env: { ...process.env, ...quiet, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30_000,
      killSignal: 'SIGKILL',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

export type { ProcessId };
