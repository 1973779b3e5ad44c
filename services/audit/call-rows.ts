import { stateOfCall } from '../../shared/audit/read-record.ts';
import type { AuditRecord, IntentEntry, Link } from '../../shared/audit/record.ts';

/** What a person sees of a call, a refusal or an event: one line. */
export interface CallRow {
  readonly time: string;
  readonly agent: string;
  readonly what: string;
  readonly outcome: string;
  readonly executed: string;
  /** Milliseconds, empty where nothing ran. */
  readonly took: string;
  readonly id: string;
}

/** No call may take longer; an intent that is older and has no outcome is an orphan. */
const longestCallMs = 10 * 60_000;
/** Intents kept while their outcome has not come; beyond, the oldest is shown as it stands. */
const mostPending = 10_000;

/**
 * Makes rows of records: an outcome is a row, and its intent is none any more; a refusal and an event are rows. What has only an intent in the
 * end did not finish, or its outcome lies outside of what was read.
 */
export interface CallRows {
  add(record: AuditRecord): CallRow | undefined;
  /** Rows of the intents that met no outcome. `now` in epoch milliseconds. */
  unfinished(now: number): CallRow[];
}

export function createCallRows(): CallRows {
  const pending = new Map<string, IntentEntry & Link>();
  return {
    add(record) {
      if (record.kind === 'intent') {
        pending.set(record.call, record);
        const [oldest] = pending;
        if (pending.size <= mostPending || oldest === undefined) return undefined;
        pending.delete(oldest[0]);
        return rowOfIntent(oldest[1], Number.POSITIVE_INFINITY);
      }
      if (record.kind === 'outcome') pending.delete(record.call);
      return rowOf(record);
    },
    unfinished: (now) => [...pending.values()].map((intent) => rowOfIntent(intent, now)),
  };
}

function rowOf(record: Exclude<AuditRecord, IntentEntry>): CallRow {
  switch (record.kind) {
    case 'outcome':
      return {
        time: record.time,
        agent: record.agent,
        what: whatOf(record),
        outcome: record.outcome,
        executed: record.executed,
        took: record.timing.total.toFixed(1),
        id: record.call,
      };
    case 'refusal':
      return {
        time: record.time,
        agent: record.agent ?? record.address,
        what: whatOf(record),
        outcome: record.count > 1 ? `${record.reason} ×${record.count}` : record.reason,
        executed: record.executed,
        took: '',
        id: record.call ?? record.id,
      };
    case 'event':
      return {
        time: record.time,
        agent: record.actor ?? '',
        what: `event ${record.event}`,
        outcome: '',
        executed: '',
        took: '',
        id: record.id,
      };
  }
}

function rowOfIntent(intent: IntentEntry & Link, now: number): CallRow {
  const { outcome, executed } = stateOfCall(intent, undefined, now - Date.parse(intent.time) > longestCallMs);
  const { time, agent, call: id } = intent;
  return { time, agent, what: whatOf(intent), outcome, executed, took: '', id };
}

interface Named {
  readonly method?: string | undefined;
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly target?: string | undefined;
}

/** `github__search` for a tool; a method with its target for the rest. */
function whatOf({ method, server, tool, target }: Named): string {
  if (tool !== undefined) return server === undefined ? tool : `${server}__${tool}`;
  return [method ?? '', server ?? '', target ?? ''].filter((part) => part !== '').join(' ');
}
