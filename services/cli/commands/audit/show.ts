import type { AuditRecord } from '../../../../shared/audit/record.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import { callTimeOf } from '../../../../shared/ids.ts';
import { readRecords } from '../../../audit/read-records.ts';
import { compileFilter } from '../../../audit/record-filter.ts';
import { timelineOf } from '../../../audit/timeline.ts';
import type { CommonFlags } from '../../flags.ts';
import { printable } from '../../output/printable.ts';
import { withAudit } from './with-audit.ts';

/** A call takes ten minutes at most, and its outcome may wait for NATS. */
const spanMs = 30 * 60_000;

/** `toolbus audit show CALL_ID`: one call as a timeline of its hops. Throws an OperatorError (exit 5) when no record names it. */
export async function runAuditShow(call: string, flags: CommonFlags): Promise<number> {
  const askedAt = callTimeOf(call);
  if (askedAt === undefined) {
    throw new OperatorError(exitCode.usage, 'this is not a call id', {
      hint: 'it has 26 characters and stands in `callId` of an error and in the last column of `audit search`',
    });
  }
  const records = await withAudit(flags, async ({ nc, names }) => {
    const found: AuditRecord[] = [];
    const filter = compileFilter({ call });
    const range = { since: askedAt, until: askedAt + spanMs };
    for await (const { record } of readRecords({ nc, stream: names.records, filter, ...range })) {
      found.push(record);
      if (record.kind !== 'intent') break;
    }
    return found;
  });
  if (records.length === 0) {
    throw new OperatorError(exitCode.toolFailed, `no record names the call ${call}`, {
      hint: 'the audit may be younger, belong to another tenant, or have lost it: `toolbus audit verify`',
    });
  }
  process.stdout.write(flags.json === true ? `${JSON.stringify({ call, records })}\n` : timelineText(call, records));
  return exitCode.ok;
}

function timelineText(call: string, records: readonly AuditRecord[]): string {
  const lines = [`call ${call}`];
  for (const { atMs, what, facts } of timelineOf(records)) {
    lines.push('', `${(atMs === undefined ? '' : `+${atMs.toFixed(2)} ms`).padStart(14)}  ${what}`);
    for (const [name, value] of facts) lines.push(`${' '.repeat(16)}${name}: ${printable(value)}`);
  }
  const ended = records.some((record) => record.kind !== 'intent');
  if (!ended) lines.push('', `${' '.repeat(16)}no outcome is recorded: whether the tool ran is unknown`);
  return `${lines.join('\n')}\n`;
}
