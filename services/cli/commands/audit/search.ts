import { once } from 'node:events';
import { exitCode } from '../../../../shared/errors.ts';
import { createCallRows } from '../../../audit/call-rows.ts';
import { readRecords } from '../../../audit/read-records.ts';
import { chosenBy, type FilterFlags } from './filter-flags.ts';
import { headerLine, rowLine } from './print-row.ts';
import { withAudit } from './with-audit.ts';

export interface SearchFlags extends FilterFlags {
  /** Stops after so many. */
  readonly limit?: number;
}

/** `toolbus audit search [TEXT]`: recorded calls, one line each; with --json the records as they were hashed. */
export async function runAuditSearch(text: string | undefined, flags: SearchFlags): Promise<number> {
  const { filter, since, until } = chosenBy(flags, text);
  await withAudit(flags, async ({ nc, names }) => {
    const rows = createCallRows();
    const most = flags.limit ?? Number.POSITIVE_INFINITY;
    let shown = 0;
    const show = async (line: string): Promise<void> => {
      shown += 1;
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
    };
    if (flags.json !== true) process.stderr.write(`${headerLine()}\n`);
    for await (const { record, line } of readRecords({ nc, stream: names.records, filter, since, until })) {
      if (flags.json === true) await show(line);
      else {
        const row = rows.add(record);
        if (row !== undefined) await show(rowLine(row));
      }
      if (shown >= most) return;
    }
    if (flags.json === true) return;
    for (const row of rows.unfinished(Date.now())) if (shown < most) await show(rowLine(row));
    process.stderr.write(`${shown} found\n`);
  });
  return exitCode.ok;
}
