import { createHash } from 'node:crypto';
import { kindOfLine } from './export-format.ts';
import { type Finding, type Verdict, type VerifyOptions, verifyRecords } from './verify.ts';

/**
 * Verifies an export, line by line. Beyond what `verifyRecords` finds, a file without its first or its last line was cut off, and its lines must be
 * those that the end was written for.
 */
export async function verifyExport(
  lines: AsyncIterable<string>,
  options: Omit<VerifyOptions, 'checkpoints' | 'partial'>,
): Promise<Verdict> {
  const iterator = lines[Symbol.asyncIterator]();
  const digest = createHash('sha256');
  const damage: Finding[] = [];
  const damaged = (message: string): void => void damage.push({ what: 'export_damaged', message });
  let end: Readonly<Record<string, unknown>> | undefined;
  let count = 0;

  /** The next line that is not the end. */
  async function next(): Promise<string | undefined> {
    for (;;) {
      const { value, done } = await iterator.next();
      if (done === true) return undefined;
      if (value === '') continue;
      if (end !== undefined) {
        if (damage.length === 0) damaged('there are lines behind the end of the export');
        continue;
      }
      if (value.includes('"kind":"export_end"') && kindOfLine(value)?.kind === 'export_end') {
        end = kindOfLine(value)?.value;
        continue;
      }
      digest.update(`${value}\n`);
      return value;
    }
  }

  let line = await next();
  const header = line === undefined ? undefined : kindOfLine(line);
  const isExport = header?.kind === 'export';
  if (isExport) line = await next();
  else damaged('the first line is not the header of an export');
  const checkpoints: string[] = [];
  while (line !== undefined && kindOfLine(line)?.kind === 'checkpoint') {
    checkpoints.push(line);
    line = await next();
  }
  async function* records(): AsyncIterable<string> {
    while (line !== undefined) {
      count += 1;
      yield line;
      line = await next();
    }
  }
  const partial = isExport && header.value.filters !== undefined;
  const verdict = await verifyRecords(records(), { ...options, checkpoints, partial });
  if (end === undefined) damaged(`the export has no end: it was cut off after record ${count}`);
  else if (end['records'] !== count || end['checkpoints'] !== checkpoints.length) {
    damaged(`the export has ${count} records, and was written with ${String(end['records'])}`);
  } else if (end['sha256'] !== digest.digest('hex')) damaged('lines of the export were changed since it was written');
  const findings = [...verdict.findings, ...damage];
  return { ...verdict, ok: findings.length === 0, findings };
}
