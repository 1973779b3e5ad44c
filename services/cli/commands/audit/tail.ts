import { exitCode } from '../../../../shared/errors.ts';
import { createCallRows } from '../../../audit/call-rows.ts';
import { readRecords } from '../../../audit/read-records.ts';
import { chosenBy, type FilterFlags } from './filter-flags.ts';
import { headerLine, rowLine } from './print-row.ts';
import { withAudit } from './with-audit.ts';

/** Messages of the stream that are looked through for what to show first. */
const lookBack = 200;

/** `toolbus audit tail`: what was recorded last, then what is being recorded, until Ctrl-C. */
export async function runAuditTail(flags: FilterFlags): Promise<number> {
  const { filter } = chosenBy(flags);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await withAudit(flags, async ({ nc, names }) => {
    const rows = createCallRows();
    if (flags.json !== true) process.stderr.write(`${headerLine()}\n`);
    const found = readRecords({
      nc,
      stream: names.records,
      filter,
      last: lookBack,
      follow: true,
      signal: stop.signal,
    });
    for await (const { record, line } of found) {
      const row = flags.json === true ? undefined : rows.add(record);
      if (flags.json === true) process.stdout.write(`${line}\n`);
      else if (row !== undefined) process.stdout.write(`${rowLine(row)}\n`);
    }
  });
  return exitCode.ok;
}
