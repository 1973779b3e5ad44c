import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from '../../../shared/log.ts';
import {
  idOfLine,
  readPlace,
  removePlace,
  removeSpoolFile,
  spoolFileName,
  spoolSuffix,
  writePlace,
} from './spool-files.ts';

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
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One file to ship: `from` is the first byte that is not in the stream. */
interface SpoolFile {
  readonly path: string;
  from: number;
  /** What is behind is being written; undefined: all of it is there. */
  end: number | undefined;
  pending: number;
}

const shipGroup = 64;

export function createSpool({ directory, writer, maxBytes, log }: SpoolOptions): Spool {
  const own: SpoolFile = { path: join(directory, spoolFileName(writer, process.pid)), from: 0, end: 0, pending: 0 };
  const adopted: SpoolFile[] = [];
  const stored = new Set<string>();
  let handle: FileHandle | undefined;
  let size = 0;
  /** A write failed half way: what it left is no line of ours. */
  let torn = false;
  let waiting: Waiting[] = [];
  /** Of what waits or is being written: a disk that hangs must not fill the memory. */
  let queued = 0;
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      const bytes = group.reduce((sum, one) => sum + one.bytes, 0);
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
        size += bytes;
        own.pending += group.length;
        for (const one of group) one.resolve();
      } catch (error) {
        for (const one of group) one.reject(error);
      }
      // Also of what was refused: it may be there, whole or in part.
      own.end = (await handle?.stat().catch(() => undefined))?.size ?? own.end;
      queued -= bytes;
    }
    writing = undefined;
  }

  async function shipFile(file: SpoolFile, store: (entry: SpooledEntry) => Promise<void>): Promise<void> {
    let group: SpooledEntry[] = [];
    /** Lines beside the group whose entries are in the stream already. */
    let passedOver: string[] = [];
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
      // Not before: what is shipped again begins at `from`.
      for (const id of [...passedOver, ...group.map((entry) => entry.id)]) stored.delete(id);
      file.pending = Math.max(0, file.pending - group.length);
      group = [];
      passedOver = [];
      file.from = at;
      // Where the disk does not take it, the records are in the stream all the same, and a second one under the same id counts as one.
      await writePlace(file.path, { from: at, writer }).catch((error: unknown) =>
        log.debug({ err: error }, 'cannot note how far the audit spool is shipped'),
      );
    };
    if (file.end !== undefined && file.end <= file.from) return;
    const input = createReadStream(file.path, {
      start: file.from,
      ...(file.end !== undefined && { end: file.end - 1 }),
    });
    const lines = createInterface({ input, crlfDelay: 0 });
    for await (const line of lines) {
      at += Buffer.byteLength(line) + 1;
      const id = idOfLine(line);
      if (id !== undefined && stored.has(id)) passedOver.push(id);
      else if (id !== undefined) group.push({ id, json: line });
      if (group.length >= shipGroup) await flush();
    }
    await flush();
  }

  return {
    append(id, json, isVital) {
      const text = `${json}\n`;
      const bytes = Buffer.byteLength(text);
      if (size + queued + bytes > (isVital ? maxBytes : maxBytes / 2)) {
        return Promise.reject(new Error(`the audit spool has reached its ${maxBytes} bytes`));
      }
      stored.delete(id);
      queued += bytes;
      return new Promise((resolve, reject) => {
        waiting.push({ text, bytes, resolve, reject });
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
        await removeSpoolFile(file.path);
        adopted.splice(adopted.indexOf(file), 1);
      }
      await writing;
      if (handle === undefined) return;
      await shipFile(own, store);
      // Nothing may be added between this look and the end of the file.
      if (writing !== undefined || waiting.length > 0 || (own.end ?? 0) > own.from) return;
      const done = handle;
      handle = undefined;
      size = 0;
      own.from = 0;
      own.end = 0;
      own.pending = 0;
      stored.clear();
      await done.close();
      await removeSpoolFile(own.path);
    },
    async adopt(isStored) {
      const names = await readdir(directory).catch(() => []);
      for (const name of names.filter((each) => each.endsWith(spoolSuffix))) {
        const [theirWriter = '', pid = ''] = name.split('.');
        // The name of a file whose process lives is the one that this process number has now.
        if (name === spoolFileName(theirWriter, Number(pid))) continue;
        const theirs = join(directory, name);
        const mine = join(directory, spoolFileName(theirWriter, process.pid));
        // Whoever renames it first has it.
        const isMine = await rename(theirs, mine).then(
          () => true,
          () => false,
        );
        if (!isMine) continue;
        const place = await readPlace(theirs);
        await removePlace(theirs);
        for (const shipper of new Set([theirWriter, place.writer ?? theirWriter])) {
          for (const id of await isStored(shipper)) stored.add(id);
        }
        const { size: bytes } = await stat(mine);
        log.warn({ writer: theirWriter, bytes }, 'audit records of an ended process are shipped to the stream');
        adopted.push({ path: mine, from: place.from, end: undefined, pending: 1 });
      }
    },
    async close() {
      await writing;
      await handle?.close();
    },
  };
}
