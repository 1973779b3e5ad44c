import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import { exportAudit } from '../../../audit/export.ts';
import { chosenBy, type FilterFlags } from './filter-flags.ts';
import { withAudit } from './with-audit.ts';

export interface ExportFlags extends FilterFlags {
  readonly out?: string;
}

/** `toolbus audit export`: records as NDJSON on stdout or into a file, which appears only when it is whole. */
export async function runAuditExport(flags: ExportFlags): Promise<number> {
  const chosen = chosenBy(flags);
  const draft = flags.out === undefined ? undefined : `${flags.out}.part`;
  const out = draft === undefined ? process.stdout : createWriteStream(draft, { mode: 0o600 });
  try {
    if (out !== process.stdout) await once(out, 'open');
    const records = await withAudit(flags, async ({ nc, names, config }) => {
      const { agent, server, tool, outcome, since, until } = flags;
      const filters = chosen.everything ? undefined : definedOnly({ agent, server, tool, outcome, since, until });
      const facts = { tenant: config.nats.tenant, time: new Date().toISOString(), filters };
      let count = 0;
      for await (const { line, isRecord } of exportAudit({ nc, names, facts, ...chosen })) {
        if (isRecord) count += 1;
        if (!out.write(`${line}\n`)) await once(out, 'drain');
      }
      return count;
    });
    if (draft !== undefined && flags.out !== undefined) {
      out.end();
      await finished(out);
      await rename(draft, flags.out);
    }
    process.stderr.write(`${records} records exported\n`);
    return exitCode.ok;
  } catch (error) {
    if (draft !== undefined) await rm(draft, { force: true });
    if (error instanceof Error && 'syscall' in error) {
      throw new OperatorError(exitCode.usage, `cannot write the export: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function definedOnly(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );
}
