import type { AuditRecord, Recorded, RecordedResult } from '../../shared/audit/record.ts';

/** One line of a call's story: milliseconds after it arrived, what happened, and with what. */
export interface TimelineEntry {
  /** Milliseconds after the first entry; undefined where only the order is known. */
  readonly atMs?: number | undefined;
  readonly what: string;
  readonly facts: readonly (readonly [string, string])[];
}

/** A call hop by hop, from its records in the order of the stream. */
export function timelineOf(records: readonly AuditRecord[]): TimelineEntry[] {
  return records.flatMap(entriesOf);
}

function entriesOf(record: AuditRecord): TimelineEntry[] {
  switch (record.kind) {
    case 'intent':
      return [
        {
          atMs: 0,
          what: 'asked',
          facts: facts({
            time: record.time,
            agent: `${record.agent} (${record.auth}) from ${record.address}`,
            client: record.client,
            endpoint: `${record.endpoint}, ${record.era}, ${record.protocol}`,
            session: record.session,
            trace: record.trace,
            replay: record.replay && `run ${record.replay.run} of call ${record.replay.of}`,
          }),
        },
        {
          what: 'allowed',
          facts: facts({
            method: record.method,
            server: record.server,
            tool: record.tool,
            target: record.target,
            catalog: record.catalog,
            arguments: recorded(record.arguments),
            answers: record.answers && recorded(record.answers),
          }),
        },
      ];
    case 'outcome': {
      const { total, upstream, gateway, audit } = record.timing;
      return [
        { what: 'recorded, started', facts: facts({ 'waited for the audit': ms(audit), worker: record.instance }) },
        { what: 'at the server', facts: facts({ took: ms(upstream), 'in the gateway': ms(gateway) }) },
        {
          atMs: total,
          what: 'answered',
          facts: facts({
            time: record.time,
            outcome: record.outcome,
            executed: record.executed,
            code: record.code?.toString(),
            result: record.result && result(record.result),
          }),
        },
      ];
    }
    case 'refusal':
      return [
        {
          what: 'refused',
          facts: facts({
            time: record.time,
            agent: record.agent,
            address: record.address,
            method: record.method,
            server: record.server,
            tool: record.tool ?? record.target,
            reason: record.reason,
            executed: record.executed,
            arguments: record.arguments && recorded(record.arguments),
          }),
        },
      ];
    case 'event':
      return [{ what: record.event, facts: facts({ time: record.time, detail: JSON.stringify(record.detail) }) }];
  }
}

function facts(all: Readonly<Record<string, string | undefined>>): TimelineEntry['facts'] {
  return Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function recorded(value: Recorded): string {
  const size = `${value.bytes} bytes`;
  if (value.mode === 'none') return `not recorded, ${size}`;
  if (value.mode === 'digest') return `sha256 ${value.sha256}, ${size}`;
  const left = value.redacted === undefined ? '' : `, redacted: ${value.redacted.join(' ')}`;
  return `${JSON.stringify(value.value)} (${size}${value.mode === 'hmac' ? ', hmac' : ''}${left})`;
}

function result({ bytes, sha256, value }: RecordedResult): string {
  const digest = sha256 === undefined ? '' : `, sha256 ${sha256}`;
  return `${value === undefined ? '' : `${JSON.stringify(value)} `}(${bytes} bytes${digest})`;
}
