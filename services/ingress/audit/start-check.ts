import { readCheckpoint } from '../../../shared/audit/checkpoint.ts';
import { decodePack } from '../../../shared/audit/pack.ts';
import type { AuditStreamNames, AuditStreams } from '../../../shared/bus/audit-stream.ts';

export interface StartCheckOptions {
  readonly streams: AuditStreams;
  readonly names: AuditStreamNames;
  subjectOf(writer: string): string;
}

/**
 * A quick look whether the stream still holds what the last checkpoint was signed for; `toolbus audit verify` looks at everything. Returns what is
 * missing, or undefined.
 */
export async function lostSinceCheckpoint(options: StartCheckOptions): Promise<string | undefined> {
  const { streams, names, subjectOf } = options;
  const message = await streams.last(names.checkpoints);
  const checkpoint = message && readCheckpoint(Buffer.from(message.data).toString('utf8'));
  if (checkpoint === undefined || checkpoint.lossAccepted === true) return undefined;
  const { writer, seq } = checkpoint;
  const last = await streams.last(names.records, subjectOf(writer));
  if (last === undefined && ((await streams.inspect(names.records))?.maxAgeMs ?? 0) > 0) return undefined;
  const header = last && decodePack(last.data)?.header;
  const end = header === undefined ? 0 : header.seq + header.count - 1;
  return end >= seq ? undefined : `writer ${writer} ends at record ${end}, and its checkpoint says ${seq}`;
}
