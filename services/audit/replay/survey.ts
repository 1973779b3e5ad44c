import type { AuditRecord } from '../../../shared/audit/record.ts';
import { createRecordedCatalogs, type RecordedCatalogs } from './catalog-changes.ts';
import { inOrderOfIntent } from './in-order.ts';

/** What a first look at the records tells: how much there is to do, and for which servers. */
export interface Survey {
  /** Servers of which a call is recorded that is no replay itself. */
  readonly servers: readonly string[];
  /** How many calls a replay will meet, by server: those that it will skip are among them. */
  readonly calls: ReadonlyMap<string, number>;
  readonly catalogs: RecordedCatalogs;
}

/** `wanted`: only calls that ended so, as in `inOrderOfIntent`. */
export async function survey(
  records: AsyncIterable<{ readonly record: AuditRecord }>,
  wanted?: string,
): Promise<Survey> {
  const servers = new Set<string>();
  const calls = new Map<string, number>();
  const catalogs = createRecordedCatalogs();
  async function* noted(): AsyncIterable<{ readonly record: AuditRecord }> {
    for await (const found of records) {
      const { record } = found;
      catalogs.add(record);
      if (record.kind === 'intent' && record.replay === undefined) servers.add(record.server);
      yield found;
    }
  }
  for await (const { server } of inOrderOfIntent(noted(), wanted)) calls.set(server, (calls.get(server) ?? 0) + 1);
  return { servers: [...servers], calls, catalogs };
}
