import { decodePack } from '../../shared/audit/pack.ts';
import { readRecord } from '../../shared/audit/read-record.ts';
import type { AuditRecord, IntentEntry, OutcomeEntry } from '../../shared/audit/record.ts';
import { readStream } from '../../shared/bus/audit-reader.ts';
import { auditStreamNames, auditStreams } from '../../shared/bus/audit-stream.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { createLogger } from '../../shared/log.ts';
import type { Entry } from '../fixtures/scripted/journal.ts';
import type { CallRecord } from './oracle.ts';

/** Every record of the audit, in the order of the stream; none where there is no stream. */
export async function readAudit(url: string): Promise<AuditRecord[]> {
  const nc = await connectBus({ url, name: 'audit oracle', log: createLogger('silent', 'test') });
  try {
    const { records } = auditStreamNames('default');
    const found: AuditRecord[] = [];
    if ((await (await auditStreams(nc)).inspect(records)) === undefined) return found;
    for await (const { data } of readStream(nc, records)) {
      for (const line of decodePack(data)?.lines ?? []) {
        const record = readRecord(line);
        if (record !== undefined) found.push(record);
      }
    }
    return found;
  } finally {
    await nc.close();
  }
}

/** The name that the test gave to a call (`arguments.id`), from its intent. */
export function testIdOf({ arguments: args }: IntentEntry): string | undefined {
  const value = args.mode === 'plain' ? args.value : undefined;
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
    ? value.id
    : undefined;
}

/**
 * What must hold of the audit, whatever happened. Returns a sentence for each violation:
 * - every effect has an intent, every OK answer an outcome that says so, no call has two of either;
 * - what the agent was promised (`executed: "no"`) is not said to have run, and an intent alone is never read as a call that ran.
 */
export function judgeAudit(
  audit: readonly AuditRecord[],
  calls: readonly CallRecord[],
  journal: readonly Entry[],
): string[] {
  const intents = new Map<string, IntentEntry>();
  const outcomes = new Map<string, OutcomeEntry>();
  const violations: string[] = [];
  const seen = new Set<string>();
  for (const record of audit) {
    if (seen.has(record.id)) violations.push(`record ${record.id} is there twice`);
    seen.add(record.id);
    if (record.kind === 'outcome') outcomes.set(record.call, record);
    if (record.kind !== 'intent') continue;
    const id = testIdOf(record);
    if (id !== undefined) intents.set(id, record);
  }
  const outcomeOf = (id: string) => outcomes.get(intents.get(id)?.call ?? '');
  for (const { what, id } of journal) {
    if (!intents.has(id)) violations.push(`${id}: ${what} without an intent`);
    if (what === 'effect' && outcomeOf(id)?.executed === 'no') violations.push(`${id}: ran, and the audit says no`);
  }
  for (const { id, outcome, executed } of calls) {
    const recorded = outcomeOf(id);
    if (outcome === 'ok' && recorded?.outcome !== 'ok') {
      violations.push(`${id}: answered OK, and its outcome is ${recorded?.outcome ?? 'missing'}`);
    }
    if (executed === 'no' && recorded?.executed === 'yes') violations.push(`${id}: promised "no", recorded "yes"`);
  }
  return violations;
}
