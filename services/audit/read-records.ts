import { decodePack } from '../../shared/audit/pack.ts';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { readStream, type StoredMessage } from '../../shared/bus/audit-reader.ts';
import type { NatsConnection } from '../../shared/bus/connect.ts';
import type { CompiledFilter } from './record-filter.ts';

/** A record with the very line that was hashed. */
export interface FoundRecord {
  readonly record: AuditRecord;
  readonly line: string;
}

export interface ReadRecordsOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly filter: CompiledFilter;
  /** Epoch milliseconds: nothing older, or younger, is wanted. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Read the last messages only, before following. */
  readonly last?: number | undefined;
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Clocks of ingress and NATS may differ by this much, in milliseconds. */
const skewMs = 60_000;
/** A record that had to wait for NATS is stored later than it was written; so long a range is searched behind its end. */
const lateMs = 15 * 60_000;

/** The records of the audit stream that a filter wants, in the order of the stream. Throws what `readStream` throws. */
export async function* readRecords(options: ReadRecordsOptions): AsyncIterable<FoundRecord> {
  const { nc, stream, filter, since, until, last, follow, signal } = options;
  const from = since === undefined ? undefined : since - skewMs;
  for await (const message of readStream(nc, stream, { since: from, last, follow, signal })) {
    if (until !== undefined && follow !== true && message.storedAt > until + lateMs) return;
    yield* recordsOf(message, filter);
  }
}

function* recordsOf({ data }: StoredMessage, filter: CompiledFilter): Iterable<FoundRecord> {
  if (!filter.mayHold(data)) return;
  for (const line of decodePack(data)?.lines ?? []) {
    const record = filter.match(line);
    if (record !== undefined) yield { record, line };
  }
}
