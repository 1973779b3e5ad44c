import { readFile, rm, writeFile } from 'node:fs/promises';
import { sha256Hex } from '../../../shared/audit/digest.ts';
import { processMark } from '../../../shared/process/process-identity.ts';

/** How files of spooled records are called: `<writer>.<process>.<mark>.ndjson`, and beside one how much of it is in the stream. */
export const spoolSuffix = '.ndjson';
const placeSuffix = '.shipped';

/** How far a file has been shipped, and by which writer. */
export interface SpoolPlace {
  /** The first byte that is not in the stream. */
  readonly from: number;
  readonly writer?: string;
}

/** Process numbers are used again, in containers by the next start: the mark tells them apart. */
export function spoolFileName(writer: string, pid: number): string {
  return `${writer}.${pid}.${sha256Hex(processMark(pid) ?? '').slice(0, 12)}${spoolSuffix}`;
}

export function writePlace(path: string, place: SpoolPlace): Promise<void> {
  return writeFile(`${path}${placeSuffix}`, JSON.stringify(place));
}

/** Of a file and what says how far it was shipped. */
export async function removeSpoolFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await removePlace(path);
}

/** From the beginning where nothing else is known. */
export async function readPlace(path: string): Promise<SpoolPlace> {
  try {
    const place = JSON.parse(await readFile(`${path}${placeSuffix}`, 'utf8')) as { from?: unknown; writer?: unknown };
    return {
      from: typeof place.from === 'number' ? place.from : 0,
      ...(typeof place.writer === 'string' && { writer: place.writer }),
    };
  } catch {
    return { from: 0 };
  }
}

export function removePlace(path: string): Promise<void> {
  return rm(`${path}${placeSuffix}`, { force: true });
}

/** Id of the entry in a line; undefined for one that was not written to its end. */
export function idOfLine(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { id?: unknown };
    return typeof entry.id === 'string' ? entry.id : undefined;
  } catch {
    return undefined;
  }
}
