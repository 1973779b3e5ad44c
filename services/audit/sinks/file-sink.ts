import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Sink } from './sink.ts';

export interface FileSinkOptions {
  readonly path: string;
  /** A file that would grow beyond this becomes `path.1`, and so on. Bytes. */
  readonly maxBytes: number;
  /** Older files that are kept. */
  readonly keep: number;
}

/** Records as JSON lines in a file, written to the disk before they count as taken. Written by hand: no rotating stream on npm syncs. */
export function createFileSink({ path, maxBytes, keep }: FileSinkOptions): Sink {
  let file: { handle: FileHandle; bytes: number } | undefined;

  async function current(): Promise<{ handle: FileHandle; bytes: number }> {
    if (file !== undefined) return file;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'a', 0o600);
    file = { handle, bytes: (await handle.stat()).size };
    return file;
  }

  async function rotate(): Promise<void> {
    await file?.handle.close();
    file = undefined;
    if (keep === 0) {
      await rm(path, { force: true });
      return;
    }
    for (let n = keep - 1; n >= 1; n -= 1) await renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    await renameIfThere(path, `${path}.1`);
  }

  return {
    name: 'file',
    async write(lines) {
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      const before = await current();
      if (before.bytes > 0 && before.bytes + bytes.length > maxBytes) await rotate();
      const into = await current();
      try {
        await into.handle.appendFile(bytes);
        await into.handle.datasync();
        into.bytes += bytes.length;
      } catch (error) {
        // A disk that is full again takes a new handle when it is not.
        await into.handle.close().catch(() => undefined);
        file = undefined;
        throw error;
      }
    },
    async close() {
      await file?.handle.close();
      file = undefined;
    },
  };
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
