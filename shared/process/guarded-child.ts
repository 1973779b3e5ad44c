import { type ChildProcess, type ChildProcessByStdio, execFile, type StdioOptions, spawn } from 'node:child_process';
import { extname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, OperatorError } from '../errors.ts';
import { guardedCommand, guardFd, guardScript } from './guard-script.ts';
import { resolveCommand } from './resolve-command.ts';

export interface GuardedSpawnOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** The child's whole environment; `childEnv` makes one from configured variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string | undefined;
}

export interface Exit {
  /** Exit status, or null when a signal ended it. 126 and 127: the program was found but the system would not run it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StopOptions {
  /** Milliseconds of politeness in all, before SIGKILL. */
  readonly graceMs: number;
  /** Whether the child ends when its stdin does: then half of the time passes before SIGTERM. Default true. */
  readonly eof?: boolean;
}

/** A child that cannot outlive us. Every stream has an `error` listener already: writing to a dead child ends nobody (EPIPE). */
export interface GuardedChild {
  /** The program's own process, and the number of its process group. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the program itself ends; never rejects. Whatever it left running in its group is killed then. */
  readonly exited: Promise<Exit>;
  /** Ends stdin, waits, SIGTERM to the group, waits, SIGKILL. Resolves when the child and its group are gone. */
  stop(options: StopOptions): Promise<void>;
  /** Signals the whole group; does nothing when the program has ended. */
  kill(signal: NodeJS.Signals): void;
}

/** How long to wait for what only a kernel or a stuck reader can delay. */
const settleMs = 1000;

/**
 * Starts a program, never through a shell of its own, in a process group that dies with it and with us, SIGKILL included.
 * Throws an `OperatorError` when the program cannot be found or started.
 */
export function spawnGuarded(options: GuardedSpawnOptions): GuardedChild {
  const env = definedOnly(options.env);
  const program = resolveCommand({ command: options.command, env, cwd: options.cwd });
  const started =
    process.platform === 'win32' ? spawnOnWindows(program, options, env) : spawnInGroup(program, options, env);
  const { child, pid, stdin, stdout, stderr, guard } = started;
  for (const stream of [stdin, stdout, stderr]) stream.on('error', () => {});
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let alive = true;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      alive = false;
      guard?.stdin.end();
      resolve({ code, signal });
    });
  });
  // The guard ends after the group: first it sees that the pipe has ended, then it kills, then it exits.
  const gone = guard === undefined ? exited : endOf(guard);

  function kill(signal: NodeJS.Signals): void {
    // Once the program is reaped its number may belong to somebody else; the guard sees to the rest of the group.
    if (!alive) return;
    if (process.platform === 'win32') {
      execFile('taskkill', ['/pid', String(pid), '/T', '/F'], { windowsHide: true }, () => {});
      return;
    }
    try {
      process.kill(-pid, signal);
    } catch {
      // Ended this moment; `exit` is about to tell.
    }
  }

  // Nothing but somebody's kill ends the guard first: a child without guard must not go on.
  gone.then(() => kill('SIGKILL'));

  async function stop({ graceMs, eof = true }: StopOptions): Promise<void> {
    stdin.end();
    const patience = eof ? [graceMs / 2, graceMs / 2] : [0, graceMs];
    for (const [index, signal] of (['SIGTERM', 'SIGKILL'] as const).entries()) {
      if (await settlesWithin(exited, patience[index] ?? 0)) break;
      kill(signal);
    }
    await exited;
    await settlesWithin(gone, settleMs);
    // Readers get what is still in the pipes; a process that left the group may hold them open for ever.
    if (!(await settlesWithin(closed, settleMs / 4))) for (const stream of [stdin, stdout, stderr]) stream.destroy();
  }

  return { pid, stdin, stdout, stderr, exited, stop, kill };
}

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly guard?: ChildProcessByStdio<Writable, null, null>;
}

function spawnInGroup(program: string, options: GuardedSpawnOptions, env: Record<string, string>): Started {
  const guard = attempt(options.command, () =>
    spawn('/bin/sh', ['-c', guardScript, 'toolbus-guard'], {
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    }),
  );
  guard.stdin.on('error', () => {});
  const shell = guardedCommand(program, options.args ?? [], env);
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe'];
  stdio[guardFd] = guard.stdin;
  try {
    const started = start(options, () =>
      spawn(shell.file, shell.args, { env: shell.env, cwd: options.cwd, detached: true, stdio }),
    );
    return { ...started, guard };
  } catch (error) {
    guard.stdin.end();
    throw error;
  }
}

// Windows has no process groups: `taskkill /T` walks the tree, and only while we live.
function spawnOnWindows(program: string, options: GuardedSpawnOptions, env: Record<string, string>): Started {
  if (['.bat', '.cmd'].includes(extname(program).toLowerCase())) {
    throw new OperatorError(exitCode.usage, `${options.command} is a batch file, which only cmd.exe can run`, {
      hint: `use command: cmd, args: ["/c", "${options.command}", …]`,
    });
  }
  return start(options, () =>
    spawn(program, options.args ?? [], { env, cwd: options.cwd, windowsHide: true, stdio: 'pipe' }),
  );
}

function start({ command }: GuardedSpawnOptions, spawnIt: () => ChildProcess): Started {
  const child = attempt(command, spawnIt);
  const { pid, stdin, stdout, stderr } = child;
  if (pid === undefined || stdin === null || stdout === null || stderr === null) {
    throw new OperatorError(exitCode.unreachable, `could not start ${command}: the system refused a new process`);
  }
  return { child, pid, stdin, stdout, stderr };
}

function attempt<Child extends ChildProcess>(command: string, spawnIt: () => Child): Child {
  try {
    const child = spawnIt();
    // What it would tell is told by a missing process number.
    child.on('error', () => {});
    return child;
  } catch (error) {
    // Node's own message quotes the argument or variable it dislikes, which may be a secret: only the code is passed on.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new OperatorError(exitCode.unreachable, `could not start ${command}: ${code}`);
  }
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const defined: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(env)) if (value !== undefined) defined[name] = value;
  return defined;
}

function endOf(process: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    // A process that could not be started has no `exit`; its number is missing.
    if (process.pid === undefined) resolve();
    else process.once('exit', () => resolve());
  });
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      promise.then(() => true),
      sleep(ms, false, { signal: timer.signal }).catch(() => false),
    ]);
  } finally {
    timer.abort();
  }
}
