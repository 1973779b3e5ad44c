import type { AuditRecord } from '../../../shared/audit/record.ts';
import { createRecordedCatalogs, type RecordedCatalogs } from './catalog-changes.ts';

/** What a first look at the records tells: how much there is to do, and for which servers. */
export interface Survey {
  /** Recorded calls by server, replays not counted. */
  readonly calls: ReadonlyMap<string, number>;
  readonly catalogs: RecordedCatalogs;
}

export async function survey(records: AsyncIterable<{ readonly record: AuditRecord }>): Promise<Survey> {
  const calls = new Map<string, number>();
  const catalogs = createRecordedCatalogs();
  for await (const { record } of records) {
    catalogs.add(record);
    if (record.kind === 'intent' && record.replay === undefined)
      calls.set(record.server, (calls.get(record.server) ?? 0) + 1);
  }
  return { calls, catalogs };
}
