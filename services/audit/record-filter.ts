import { readRecord } from '../../shared/audit/read-record.ts';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { matchesGlob } from '../../shared/glob.ts';

/** Which records somebody wants to see. Values are exact; in `tool` a `*` stands for any text. */
export interface RecordFilter {
  readonly agent?: string | undefined;
  readonly server?: string | undefined;
  /** The server's own name, or `server__name`. */
  readonly tool?: string | undefined;
  /** Of outcomes; for refusals and failures the reason. */
  readonly outcome?: string | undefined;
  /** Stands somewhere in the record, whatever its case. */
  readonly text?: string | undefined;
  readonly call?: string | undefined;
  /** Epoch milliseconds, inclusive and exclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface CompiledFilter {
  /** False: no record in these bytes can match. Costs a search for bytes, so that a million records are passed over quickly. */
  mayHold(pack: Uint8Array): boolean;
  /** The record of a line that matches; undefined for every other line. */
  match(line: string): AuditRecord | undefined;
}

export function compileFilter(filter: RecordFilter): CompiledFilter {
  const { agent, server, outcome, call, since, until } = filter;
  const tool = filter.tool === undefined ? undefined : toolTest(filter.tool);
  const text = filter.text?.toLowerCase();
  const needles = [agent, server, call, outcome, tool?.exact]
    .filter((value) => value !== undefined)
    // Where the value is one of JSON text, so is its spelling: the records were written by JSON.stringify.
    .map((value) => JSON.stringify(value));
  const needleBytes = needles.map((needle) => Buffer.from(needle));

  function holds(record: AuditRecord, line: string): boolean {
    if (agent !== undefined && !('agent' in record && record.agent === agent)) return false;
    if (server !== undefined && !('server' in record && record.server === server)) return false;
    if (call !== undefined && !('call' in record && record.call === call)) return false;
    if (tool !== undefined && !tool.test(record)) return false;
    if (outcome !== undefined && outcomeOf(record) !== outcome) return false;
    if (since !== undefined && Date.parse(record.time) < since) return false;
    if (until !== undefined && Date.parse(record.time) >= until) return false;
    return text === undefined || line.toLowerCase().includes(text);
  }

  return {
    mayHold: (pack) => {
      const bytes = Buffer.from(pack.buffer, pack.byteOffset, pack.byteLength);
      return needleBytes.every((needle) => bytes.includes(needle));
    },
    match(line) {
      if (!needles.every((needle) => line.includes(needle))) return undefined;
      const record = readRecord(line);
      return record !== undefined && holds(record, line) ? record : undefined;
    },
  };
}

/** How a record ended: an outcome's or a refusal's own word. Intents and events have none. */
export function outcomeOf(record: AuditRecord): string | undefined {
  if (record.kind === 'outcome') return record.outcome;
  return record.kind === 'refusal' ? record.reason : undefined;
}

function toolTest(wanted: string): { readonly exact: string | undefined; test(record: AuditRecord): boolean } {
  const full = wanted.indexOf('__');
  const server = full > 0 ? wanted.slice(0, full) : undefined;
  const name = full > 0 ? wanted.slice(full + 2) : wanted;
  const isGlob = name.includes('*');
  const parts = name.split('*');
  const matches = (tool: string): boolean => (isGlob ? matchesGlob(parts, tool) : tool === name);
  return {
    exact: isGlob ? undefined : name,
    test(record) {
      if (record.kind === 'event' || record.tool === undefined) return false;
      return (server === undefined || record.server === server) && matches(record.tool);
    },
  };
}
