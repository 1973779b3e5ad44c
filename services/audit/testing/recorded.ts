import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { link, noRecords } from '../../../shared/audit/chain.ts';
import { encodePack } from '../../../shared/audit/pack.ts';
import type { AuditEntry, IntentEntry, OutcomeEntry } from '../../../shared/audit/record.ts';
import { auditStreamNames } from '../../../shared/bus/audit-stream.ts';
import type { NatsConnection } from '../../../shared/bus/connect.ts';
import { createCallId } from '../../../shared/ids.ts';

/** What the two records of one call say, as far as a test cares. */
export interface CallFacts {
  readonly at: number;
  readonly agent?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly outcome?: OutcomeEntry['outcome'];
  readonly args?: Record<string, string>;
}

export function entriesOfCall(facts: CallFacts): readonly [IntentEntry, OutcomeEntry] {
  const { at, agent = 'ada', server = 'github', tool = 'search', outcome = 'ok', args = { q: 'x' } } = facts;
  const call = createCallId(at);
  const time = new Date(at).toISOString();
  const method = 'tools/call';
  return [
    {
      v: 1,
      kind: 'intent',
      id: `${call}.i`,
      time,
      call,
      agent,
      auth: 'key',
      address: '127.0.0.1',
      era: 'modern',
      protocol: '2026-07-28',
      endpoint: '/mcp',
      method,
      server,
      tool,
      decision: 'allowed',
      arguments: { mode: 'plain', bytes: JSON.stringify(args).length, value: args },
    },
    {
      v: 1,
      kind: 'outcome',
      id: `${call}.o`,
      time,
      call,
      agent,
      method,
      server,
      tool,
      instance: 'W1',
      outcome,
      executed: 'yes',
      result: { bytes: 10, sha256: '0'.repeat(64) },
      timing: { total: 4, upstream: 3, gateway: 1, audit: 0.3 },
    },
  ];
}

/** Writes entries into the audit stream of the default tenant as one writer does, `perPack` to a message. */
export async function storeEntries(
  nc: NatsConnection,
  entries: Iterable<AuditEntry>,
  { writer = 'TESTWRITER', perPack = 64 } = {},
): Promise<string> {
  const stream = auditStreamNames('default').records;
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: stream, subjects: ['tb.v1.default.audit.*'], storage: StorageType.File });
  const js = jetstream(nc);
  let head = noRecords;
  let batch: string[] = [];
  const sending: Promise<unknown>[] = [];
  const send = async () => {
    const { lines, head: next } = link(batch, writer, head);
    const header = { v: 1, writer, seq: head.seq + 1, count: lines.length, prev: head.hash, hash: next.hash } as const;
    head = next;
    batch = [];
    sending.push(js.publish(`tb.v1.default.audit.${writer}`, encodePack(header, lines)));
    if (sending.length >= 64) await Promise.all(sending.splice(0));
  };
  for (const entry of entries) {
    batch.push(JSON.stringify(entry));
    if (batch.length >= perPack) await send();
  }
  if (batch.length > 0) await send();
  await Promise.all(sending);
  return stream;
}
