import { createExportWriter } from '../../shared/audit/export-format.ts';
import { readStream } from '../../shared/bus/audit-reader.ts';
import type { AuditStreamNames } from '../../shared/bus/audit-stream.ts';
import type { NatsConnection } from '../../shared/bus/connect.ts';
import type { JsonObject } from '../../shared/mcp/json.ts';
import { readRecords } from './read-records.ts';
import type { CompiledFilter } from './record-filter.ts';

export interface ExportOptions {
  readonly nc: NatsConnection;
  readonly names: AuditStreamNames;
  readonly facts: {
    readonly tenant: string;
    readonly time: string;
    /** What is left out; absent: nothing is. */
    readonly filters?: JsonObject | undefined;
  };
  readonly filter: CompiledFilter;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/**
 * The lines of an export, which `toolbus audit verify --file` can check without NATS. The checkpoints come first, and were read first: all they
 * cover is then in the stream. Memory does not grow with the number of records.
 */
export async function* exportAudit(options: ExportOptions): AsyncIterable<{ line: string; isRecord: boolean }> {
  const { nc, names, facts, filter, since, until } = options;
  const writer = createExportWriter();
  const plain = (line: string) => ({ line, isRecord: false });
  yield plain(writer.header(facts));
  for await (const { data } of readStream(nc, names.checkpoints)) {
    yield plain(writer.checkpoint(Buffer.from(data).toString('utf8')));
  }
  for await (const { line } of readRecords({ nc, stream: names.records, filter, since, until })) {
    yield { line: writer.record(line), isRecord: true };
  }
  yield plain(writer.end());
}
