import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small disk of its own that a test may fill or freeze. */
export interface FaultyDisk {
  /** A directory on it. */
  readonly dir: string;
  /** Runs `work` while not a single block is free. */
  whileFull<Value>(work: () => Promise<Value>): Promise<Value>;
  /** Runs `work` while every write to it hangs. Not on a disk in memory. */
  whileFrozen<Value>(work: () => Promise<Value>): Promise<Value>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Why this process cannot have disks of its own; undefined where it can. */
export function noDisks(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a disk';
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-disk-'));
  try {
    makeFileSystem(dir);
    mount(['-o', 'loop', join(dir, 'image')], join(dir, 'mounted'));
    execFileSync('umount', [join(dir, 'mounted')]);
    return undefined;
  } catch (error) {
    return `this machine lets nobody mount a disk: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** In memory, so that what is freed is free at once. */
export function diskInMemory(mib: number): Promise<FaultyDisk> {
  return open((dir) => {
    mkdirSync(join(dir, 'mounted'));
    mount(['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs'], join(dir, 'mounted'));
  });
}

/** An ext4 file system in a file, which can be frozen. */
export function diskInFile(): Promise<FaultyDisk> {
  return open((dir) => {
    makeFileSystem(dir);
    mount(['-o', 'loop', join(dir, 'image')], join(dir, 'mounted'));
  });
}

/** Its input ends with this process, however that ends: no frozen mount is left behind. */
const guardScript =
  'cat >/dev/null; fsfreeze -u "$1/mounted"; umount "$1/mounted" || umount -l "$1/mounted"; rm -rf "$1"';

async function open(make: (dir: string) => void): Promise<FaultyDisk> {
  const root = mkdtempSync(join(tmpdir(), 'toolbus-disk-'));
  const guard = spawn('sh', ['-c', guardScript, 'sh', root], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  try {
    make(root);
  } catch (error) {
    await release(guard);
    throw error;
  }
  const mounted = join(root, 'mounted');
  const dir = join(mounted, 'data');
  mkdirSync(dir);
  const filler = join(mounted, 'filler');
  return {
    dir,
    async whileFull(work) {
      try {
        fill(filler);
        return await work();
      } finally {
        rmSync(filler, { force: true });
      }
    },
    async whileFrozen(work) {
      execFileSync('fsfreeze', ['-f', mounted]);
      try {
        return await work();
      } finally {
        execFileSync('fsfreeze', ['-u', mounted]);
      }
    },
    [Symbol.asyncDispose]: () => release(guard),
  };
}

function release(guard: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => guard.once('exit', () => resolve()));
  guard.stdin?.end();
  return gone;
}

function makeFileSystem(dir: string): void {
  mkdirSync(join(dir, 'mounted'));
  execFileSync('truncate', ['-s', '96M', join(dir, 'image')]);
  execFileSync('mkfs.ext4', ['-q', '-F', join(dir, 'image')], { stdio: 'pipe' });
}

function mount(args: readonly string[], at: string): void {
  execFileSync('mount', [...args, at], { stdio: 'pipe' });
}

/** Writes until the disk takes no more. */
function fill(path: string): void {
  const block = Buffer.alloc(65_536);
  const descriptor = openSync(path, 'w');
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(descriptor);
  }
  const { bavail } = statfsSync(path);
  if (bavail > 0) throw new Error(`${bavail} blocks are still free`);
}
