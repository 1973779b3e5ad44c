import { sha256Hex } from '../../../shared/audit/digest.ts';
import { type Difference, diffJson, type IgnoreRule } from '../../../shared/audit/json-diff.ts';
import type { OutcomeEntry } from '../../../shared/audit/record.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { RecordedCall } from './recorded-call.ts';

/** How a call was answered when it was made again. `failed`: toolbus could not have it answered, and why. */
export type Answer =
  | { readonly kind: 'result'; readonly outcome: 'ok' | 'tool_error'; readonly body: Uint8Array }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'other'; readonly outcome: OutcomeEntry['outcome'] }
  | { readonly kind: 'failed'; readonly reason: string };

/** What is kept of a call that was made again. */
export interface ReplayedCall {
  readonly call: string;
  readonly server: string;
  readonly target: string;
  readonly verdict: 'same' | 'different' | 'failed';
  /** Of a failure. */
  readonly reason?: string | undefined;
  readonly tookMs: number;
  /** With `different`: how both ended, and their results as far as they were kept. */
  readonly before?: Side | undefined;
  readonly after?: Side | undefined;
  /** The rules of the configuration by which it was compared. */
  readonly ignored?: readonly IgnoreRule[] | undefined;
}

export interface Side {
  readonly outcome: string;
  readonly code?: number | undefined;
  readonly sha256?: string | undefined;
  readonly bytes?: number | undefined;
  readonly value?: JsonValue | undefined;
}

/** Larger results are kept by their digest. */
const keptBytes = 256 * 1024;

/** Compares a new answer with the recorded one. Results that were recorded in full are compared field by field, others by digest. */
export function compare(
  recorded: RecordedCall,
  answer: Answer,
  tookMs: number,
  ignore: readonly IgnoreRule[],
): ReplayedCall {
  const { call, server, target } = recorded;
  const about = { call, server, target, tookMs };
  if (answer.kind === 'failed') return { ...about, verdict: 'failed', reason: answer.reason };
  const before = sideOfRecord(recorded);
  const after = sideOfAnswer(answer);
  return isSame(before, after, ignore)
    ? { ...about, verdict: 'same' }
    : { ...about, verdict: 'different', before, after, ...(ignore.length > 0 && { ignored: ignore }) };
}

/** What differs between the two sides of a call, without what is ignored. */
export function differencesOf(before: Side, after: Side, ignore: readonly IgnoreRule[]): Difference[] {
  if (before.outcome !== after.outcome || before.code !== after.code) {
    return [{ path: '', before: ending(before), after: ending(after) }];
  }
  if (before.value !== undefined && after.value !== undefined) return diffJson(before.value, after.value, ignore);
  // With a digest alone nothing can be left out: what it was made of is not known.
  if (before.sha256 === after.sha256 || before.sha256 === undefined) return [];
  return [{ path: '', before: `sha256 ${before.sha256}`, after: `sha256 ${after.sha256 ?? ''}` }];
}

function isSame(before: Side, after: Side, ignore: readonly IgnoreRule[]): boolean {
  return differencesOf(before, after, ignore).length === 0;
}

function ending({ outcome, code }: Side): string {
  return code === undefined ? outcome : `${outcome} ${code}`;
}

function sideOfRecord({ outcome, code, result }: RecordedCall): Side {
  return {
    outcome,
    code,
    sha256: result?.sha256,
    bytes: result?.bytes,
    // A value with parts left out is not what the server said.
    value: result?.redacted === undefined ? result?.value : undefined,
  };
}

function sideOfAnswer(answer: Exclude<Answer, { kind: 'failed' }>): Side {
  switch (answer.kind) {
    case 'error':
      return { outcome: 'rpc_error', code: answer.code };
    case 'other':
      return { outcome: answer.outcome };
    case 'result': {
      const { body, outcome } = answer;
      const value = body.length <= keptBytes ? parse(body) : undefined;
      return { outcome, sha256: sha256Hex(body), bytes: body.length, ...(value !== undefined && { value }) };
    }
  }
}

function parse(body: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
