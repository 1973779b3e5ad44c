import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { LoadedConfig } from './load.ts';

export interface WatchOptions {
  /** The configuration in force. */
  readonly loaded: LoadedConfig;
  /** Loads that same file again: `(file) => loadConfig({ ...options, file })`. */
  reload(file: string): Promise<LoadedConfig>;
  /** Called with each new valid configuration; the next one waits until it has settled. */
  onChange(next: LoadedConfig): void | Promise<void>;
  /** Called once for each different way in which the file is invalid, or `onChange` failed. The old configuration stays in force. */
  onInvalid(error: unknown): void;
  /** Quiet time in milliseconds after the last event before the file is read. */
  readonly debounceMs?: number | undefined;
  /** Milliseconds between looks at the files, for file systems that tell nothing (NFS, some bind mounts). */
  readonly pollMs?: number | undefined;
}

/**
 * Watches the directories of a configuration and of the files it refers to, so that editors that rename and the symlinks of a
 * Kubernetes ConfigMap are seen. What counts is content: equal bytes are no change, and what cannot be loaded changes nothing.
 */
export function watchConfig(options: WatchOptions): { close(): Promise<void> } {
  const watcher = new ConfigWatcher(options);
  return { close: () => watcher.close() };
}

class ConfigWatcher {
  readonly #options: WatchOptions;
  readonly #debounceMs: number;
  readonly #poll: NodeJS.Timeout;
  readonly #watched = new Map<string, Watched>();
  #current: LoadedConfig;
  #fingerprint: string | undefined;
  #debounce: NodeJS.Timeout | undefined;
  #complaint: string | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#debounceMs = options.debounceMs ?? 200;
    this.#current = options.loaded;
    this.#poll = setInterval(() => void this.#look(), options.pollMs ?? 2000);
    this.#poll.unref();
    // The files may have changed between their loading and the arrival of the watchers.
    void this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#debounce);
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
    await this.#running;
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#debounce);
    this.#debounce = setTimeout(() => {
      if (this.#running !== undefined) {
        this.#again = true;
        return;
      }
      this.#running = this.#reload().finally(() => {
        this.#running = undefined;
        if (this.#again) this.#schedule();
        this.#again = false;
      });
    }, this.#debounceMs);
    this.#debounce.unref();
  }

  async #reload(): Promise<void> {
    try {
      const next = await this.#options.reload(this.#current.file);
      if (this.#closed) return;
      if (next.digest !== this.#current.digest) {
        await this.#options.onChange(next);
        this.#current = next;
      }
      this.#complaint = undefined;
      await this.#arm();
    } catch (error) {
      if (this.#closed) return;
      const complaint = createHash('sha256').update(String(error)).digest('hex');
      if (complaint === this.#complaint) return;
      this.#complaint = complaint;
      this.#options.onInvalid(error);
    }
  }

  async #look(): Promise<void> {
    const fingerprint = await fingerprintOf(this.#current.files);
    await this.#arm();
    // While the file is invalid, what mends it may be one that is not watched yet, such as a secret it newly refers to.
    if (fingerprint === this.#fingerprint && this.#complaint === undefined) return;
    this.#fingerprint = fingerprint;
    this.#schedule();
  }

  async #arm(): Promise<void> {
    const wanted = await directoriesOf(this.#current.files);
    if (this.#closed) return;
    for (const [directory, { watcher, inode }] of this.#watched) {
      // A directory that was made anew has lost its watcher.
      if (wanted.get(directory)?.inode === inode) continue;
      watcher.close();
      this.#watched.delete(directory);
    }
    for (const [directory, { inode, names }] of wanted) {
      const watched = this.#watched.get(directory);
      if (watched !== undefined) watched.names = names;
      else this.#watch(directory, inode, names);
    }
  }

  #watch(directory: string, inode: number, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        const known = this.#watched.get(directory)?.names;
        // `..data` is the symlink that a ConfigMap swaps.
        if (name === null || known?.has(name) === true || name.startsWith('..')) this.#schedule();
      });
      watcher.on('error', () => watcher.close());
      this.#watched.set(directory, { watcher, inode, names });
    } catch {
      // Out of watches: the polling remains.
    }
  }
}

interface Directory {
  readonly inode: number;
  readonly names: ReadonlySet<string>;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly inode: number;
  names: ReadonlySet<string>;
}

/** Directories to watch, with the names that matter in each: where the files are, and where their symlinks lead. */
async function directoriesOf(files: readonly string[]): Promise<Map<string, Directory>> {
  const targets = await Promise.all(files.map((file) => realpath(file).catch(() => file)));
  const names = new Map<string, Set<string>>();
  for (const file of [...files, ...targets]) {
    names.set(dirname(file), (names.get(dirname(file)) ?? new Set()).add(basename(file)));
  }
  const directories = new Map<string, Directory>();
  for (const [directory, set] of names) {
    const inode = await stat(directory).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (inode !== undefined) directories.set(directory, { inode, names: set });
  }
  return directories;
}

async function fingerprintOf(files: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ ino, size, mtimeMs, ctimeMs }) => `${ino}:${size}:${mtimeMs}:${ctimeMs}`,
        () => 'gone',
      ),
    ),
  );
  return parts.join(' ');
}
