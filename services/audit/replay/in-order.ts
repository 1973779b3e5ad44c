import type { AuditRecord, IntentEntry, OutcomeEntry } from '../../../shared/audit/record.ts';
import { type RecordedCall, recordedCall, type SkippedCall } from './recorded-call.ts';

interface Waiting {
  readonly intent: IntentEntry;
  outcome?: OutcomeEntry;
}

/** No call takes longer, so after this nobody waits for an outcome, in milliseconds. */
const longestCallMs = 10 * 60_000;

/**
 * Calls in the order in which they were asked, each with its outcome. A call is handed on when it and all before it have ended, so memory holds what was
 * in flight at the same time. `wanted`: only calls that ended so.
 */
export async function* inOrderOfIntent(
  records: AsyncIterable<{ readonly record: AuditRecord }>,
  wanted?: string,
): AsyncIterable<RecordedCall | SkippedCall> {
  const waiting = new Map<string, Waiting>();
  function* ready(now: number): Iterable<RecordedCall | SkippedCall> {
    for (const [call, { intent, outcome }] of waiting) {
      if (outcome === undefined && now - Date.parse(intent.time) < longestCallMs) return;
      waiting.delete(call);
      if (wanted === undefined || outcome?.outcome === wanted) yield recordedCall(intent, outcome);
    }
  }
  for await (const { record } of records) {
    if (record.kind === 'intent') waiting.set(record.call, { intent: record });
    else if (record.kind === 'outcome') {
      const begun = waiting.get(record.call);
      if (begun === undefined) continue;
      begun.outcome = record;
    } else continue;
    yield* ready(Date.parse(record.time));
  }
  yield* ready(Number.POSITIVE_INFINITY);
}
