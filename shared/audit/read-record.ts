import type { Executed } from '../errors.ts';
import { isJsonObject } from '../mcp/json.ts';
import type { AuditRecord, IntentEntry, OutcomeEntry } from './record.ts';
import { recordVersion } from './record.ts';

const kinds = new Set(['intent', 'outcome', 'refusal', 'event']);

/** Reads a record's line; undefined for what is none of this version. What only some kinds have is not checked. */
export function readRecord(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is AuditRecord {
  if (!isJsonObject(value) || value.v !== recordVersion) return false;
  const { kind, id, time, writer, seq, prev } = value;
  return (
    typeof kind === 'string' &&
    kinds.has(kind) &&
    typeof id === 'string' &&
    typeof time === 'string' &&
    typeof writer === 'string' &&
    typeof seq === 'number' &&
    typeof prev === 'string'
  );
}

/** How a call ended, as far as the audit knows. `orphaned`: its ingress ended before the outcome was recorded. */
export interface CallState {
  readonly outcome: OutcomeEntry['outcome'] | 'running' | 'orphaned';
  /** Never `yes` without an outcome: an intent alone only permits the call. */
  readonly executed: Executed;
}

/**
 * Reads intent and outcome of one call together. `writerEnded` tells an orphan from a call that still runs: the writer has a closing
 * checkpoint, or the intent is older than the longest call (10 minutes).
 */
export function stateOfCall(
  _intent: Pick<IntentEntry, 'call'>,
  outcome: Pick<OutcomeEntry, 'outcome' | 'executed'> | undefined,
  writerEnded: boolean,
): CallState {
  if (outcome !== undefined) return { outcome: outcome.outcome, executed: outcome.executed };
  return { outcome: writerEnded ? 'orphaned' : 'running', executed: 'unknown' };
}
