import { createReadStream, writeFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sha256Hex } from '../../../shared/audit/digest.ts';
import type { Logger } from '../../../shared/log.ts';
import { processMark } from '../../../shared/process/process-identity.ts';

/**
 * The second place of records: files in the data directory, for what must be kept while the stream takes nothing. A line is the JSON text of one
 * entry; what was added is on the disk before `append` resolves.
 */
export interface Spool {
  /** Rejects when the disk does not take it, or the spool is full; half of it is kept for what `isVital`. */
  append(id: string, json: string, isVital: boolean): Promise<void>;
  /** The entry is in the stream after all. */
  forget(id: string): void;
  /** Entries that are not in the stream yet, of this process and of ended ones on the same directory. */
  readonly pending: number;
  /**
   * Hands every pending entry to `store`, in order and in groups, and forgets those that it has resolved for. Stops at the first group in which it
   * rejects, and rejects likewise.
   */
  ship(store: (entry: SpooledEntry) => Promise<void>): Promise<void>;
  /** Takes over what processes that have ended left here. `isStored` knows the ids of entries that are in the stream. */
  adopt(isStored: (writer: string) => Promise<ReadonlySet<string>>): Promise<void>;
  close(): Promise<void>;
}

export interface SpooledEntry {
  readonly id: string;
  readonly json: string;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly writer: string;
  readonly maxBytes: number;
  readonly log: Logger;
}

interface Waiting {
  readonly text: string;
  readonly isVital: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One file to ship: `from` is the first byte that is not in the stream. */
interface SpoolFile {
  readonly path: string;
  from: number;
  pending: number;
}

const shipGroup = 64;
const suffix = '.ndjson';
const placeSuffix = '.shipped';

export function createSpool({ directory, writer, maxBytes, log }: SpoolOptions): Spool {
  const own: SpoolFile = { path: join(directory, fileName(writer, process.pid)), from: 0, pending: 0 };
  const adopted: SpoolFile[] = [];
  const stored = new Set<string>();
  let handle: FileHandle | undefined;
  let size = 0;
  /** A write failed half way: what it left is no line of ours. */
  let torn = false;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  function hasRoom({ text, isVital }: Waiting): boolean {
    return size + text.length <= (isVital ? maxBytes : maxBytes / 2);
  }

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.filter(hasRoom);
      for (const one of waiting) {
        if (!hasRoom(one)) one.reject(new Error(`the audit spool has reached its ${maxBytes} bytes`));
      }
      waiting = [];
      if (group.length === 0) break;
      try {
        const text = (torn ? '\n' : '') + group.map((one) => one.text).join('');
        if (handle === undefined) {
          await mkdir(directory, { recursive: true, mode: 0o700 });
          handle = await open(own.path, 'a', 0o600);
        }
        torn = true;
        await handle.appendFile(text);
        torn = false;
        await handle.datasync();
        size += Buffer.byteLength(text);
        own.pending += group.length;
        for (const one of group) one.resolve();
      } catch (error) {
        for (const one of group) one.reject(error);
      }
    }
    writing = undefined;
  }

  async function shipFile(file: SpoolFile, store: (entry: SpooledEntry) => Promise<void>): Promise<void> {
    let group: SpooledEntry[] = [];
    let at = file.from;
    const flush = async (): Promise<void> => {
      const results = await Promise.allSettled(
        group.map(async (entry) => {
          await store(entry);
          // Should another one of its group fail, this one must not be shipped again.
          stored.add(entry.id);
        }),
      );
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      for (const { id } of group) stored.delete(id);
      file.pending = Math.max(0, file.pending - group.length);
      group = [];
      file.from = at;
      writeFileSync(`${file.path}${placeSuffix}`, JSON.stringify({ from: at, writer }));
    };
    const lines = createInterface({ input: createReadStream(file.path, { start: file.from }), crlfDelay: 0 });
    for await (const line of lines) {
      at += Buffer.byteLength(line) + 1;
      const id = idOf(line);
      if (id !== undefined && !stored.delete(id)) group.push({ id, json: line });
      if (group.length >= shipGroup) await flush();
    }
    await flush();
  }

  return {
    append(id, json, isVital) {
      stored.delete(id);
      return new Promise((resolve, reject) => {
        waiting.push({ text: `${json}\n`, isVital, resolve, reject });
        writing ??= write();
      });
    },
    forget(id) {
      stored.add(id);
      if (own.pending > 0) own.pending -= 1;
    },
    get pending() {
      return own.pending + adopted.reduce((sum, file) => sum + file.pending, 0);
    },
    async ship(store) {
      for (const file of [...adopted]) {
        await shipFile(file, store);
        await remove(file.path);
        adopted.splice(adopted.indexOf(file), 1);
      }
      await writing;
      if (handle === undefined) return;
      await shipFile(own, store);
      // Nothing may be added between the last look and the end of the file.
      if (writing !== undefined || waiting.length > 0 || (await handle.stat()).size > own.from) return;
      const done = handle;
      handle = undefined;
      size = 0;
      own.from = 0;
      own.pending = 0;
      stored.clear();
      await done.close();
      await remove(own.path);
    },
    async adopt(isStored) {
      const names = await readdir(directory).catch(() => []);
      for (const name of names.filter((each) => each.endsWith(suffix))) {
        const [theirWriter = '', pid = ''] = name.split('.');
        // The name of a file whose process lives is the one that this process number has now.
        if (name === fileName(theirWriter, Number(pid))) continue;
        const theirs = join(directory, name);
        const mine = join(directory, fileName(theirWriter, process.pid));
        // Whoever renames it first has it.
        const isMine = await rename(theirs, mine).then(
          () => true,
          () => false,
        );
        if (!isMine) continue;
        const place = await readPlace(`${theirs}${placeSuffix}`);
        await rm(`${theirs}${placeSuffix}`, { force: true });
        for (const shipper of new Set([theirWriter, place.writer ?? theirWriter])) {
          for (const id of await isStored(shipper)) stored.add(id);
        }
        const { size: bytes } = await stat(mine);
        log.warn({ writer: theirWriter, bytes }, 'audit records of an ended process are shipped to the stream');
        adopted.push({ path: mine, from: place.from, pending: 1 });
      }
    },
    async close() {
      await writing;
      await handle?.close();
    },
  };
}

/** Process numbers are used again, in containers by the next start: the mark tells them apart. */
function fileName(writer: string, pid: number): string {
  return `${writer}.${pid}.${sha256Hex(processMark(pid) ?? '').slice(0, 12)}${suffix}`;
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}${placeSuffix}`, { force: true });
}

async function readPlace(path: string): Promise<{ from: number; writer?: string }> {
  try {
    const place = JSON.parse(await readFile(path, 'utf8')) as { from?: unknown; writer?: unknown };
    return {
      from: typeof place.from === 'number' ? place.from : 0,
      ...(typeof place.writer === 'string' && { writer: place.writer }),
    };
  } catch {
    return { from: 0 };
  }
}

/** Undefined for a line that was not written to its end. */
function idOf(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { id?: unknown };
    return typeof entry.id === 'string' ? entry.id : undefined;
  } catch {
    return undefined;
  }
}
