import { open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exitCode, OperatorError } from '../../../shared/errors.ts';

/** A file of another program, as it is now. */
export interface OwnedFile {
  /** Where it really is: the end of symbolic links. */
  readonly file: string;
  /** Undefined: there is none yet. */
  readonly text: string | undefined;
}

const maxBytes = 64 * 1024 * 1024;
const byteOrderMark = '\ufeff';

/** Reads a file that shall be changed. Throws OperatorError when it cannot be read or is no UTF-8. */
export async function readOwned(file: string): Promise<OwnedFile> {
  const real = await realpath(file).catch(() => file);
  try {
    const { size } = await stat(real);
    if (size > maxBytes) throw new Error('it is larger than 64 MiB');
    return {
      file: real,
      text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(real)),
    };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { file: real, text: undefined };
    throw new OperatorError(exitCode.usage, `${file}: cannot be read (${codeOf(error) ?? String(error)})`);
  }
}

/**
 * Puts `text` in place of the file in one step, after a copy of what was there to `FILE.bak`. Permissions stay; a new file is for its
 * owner alone. Throws OperatorError when the file was changed since it was read, or cannot be written.
 */
export async function replaceOwned(
  { file, text: before }: OwnedFile,
  text: string,
): Promise<{ readonly backup: string | undefined }> {
  const temporary = `${file}.${process.pid}.tmp`;
  const backup = before === undefined ? undefined : `${file}.bak`;
  try {
    const now = await readOwned(file);
    if (now.text !== before)
      throw new OperatorError(exitCode.usage, `${file}: another program changed it just now; try again`);
    const mode = before === undefined ? 0o600 : (await stat(file)).mode & 0o777;
    if (backup !== undefined && before !== undefined) await writeFile(backup, before, { mode });
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    return { backup };
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof OperatorError) throw error;
    const hint = `is there a directory ${path.dirname(file)}, and may you write to it?`;
    throw new OperatorError(exitCode.usage, `${file}: cannot be written (${codeOf(error) ?? String(error)})`, { hint });
  }
}

export function withoutMark(text: string): { readonly mark: string; readonly body: string } {
  return text.startsWith(byteOrderMark) ? { mark: byteOrderMark, body: text.slice(1) } : { mark: '', body: text };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
