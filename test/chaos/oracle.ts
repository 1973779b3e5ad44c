import type { Entry } from '../fixtures/scripted/journal.ts';

/** One call as its agent saw it. Times are of `performance.now()`. */
export interface CallRecord {
  /** The call's own name, which the upstream writes into its journal. */
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** HTTP status; 0 when the connection broke before an answer came. */
  readonly status: number;
  /** Responses that came for this one request. */
  readonly responses: number;
  readonly outcome: 'ok' | 'error' | 'connection_lost' | 'cancelled';
  /** Text of the result. */
  readonly text: string;
  /** Of an error of toolbus: `error.data`. */
  readonly reason?: string | undefined;
  readonly executed?: string | undefined;
  readonly message?: string | undefined;
}

export interface Judgement {
  /** The server's `timeoutMs`. */
  readonly timeoutMs: number;
  /** For machines that do other things too, in milliseconds. */
  readonly slackMs?: number;
}

/** An answer may come this long after its deadline (the worker's own grace), and this long after the loss of who ran it. */
const answerGraceMs = 500;
const lostWithinMs = 3_500;

/**
 * What must hold after every fault, whatever it was. Returns a sentence for each violation:
 * - every call is answered exactly once, with its own answer;
 * - no call has more than one effect, an OK answer means one effect, `executed: "no"` means none, not even a start;
 * - nobody waits beyond the deadline, or 3.5 s longer where the worker was lost.
 */
export function judge(records: readonly CallRecord[], journal: readonly Entry[], options: Judgement): string[] {
  const started = countOf(journal, 'start');
  const effects = countOf(journal, 'effect');
  const violations: string[] = [];
  const ids = new Set<string>();
  for (const record of records) {
    if (ids.has(record.id)) violations.push(`${record.id}: two calls of the test have this name`);
    ids.add(record.id);
    for (const broken of judgeOne(record, started.get(record.id) ?? 0, effects.get(record.id) ?? 0, options)) {
      violations.push(`${record.id}: ${broken} (${describe(record)})`);
    }
  }
  return violations;
}

function judgeOne(record: CallRecord, starts: number, effects: number, options: Judgement): string[] {
  const { outcome, executed, responses, text } = record;
  const broken: string[] = [];
  const answered = outcome === 'ok' || outcome === 'error';
  if (answered && responses !== 1) broken.push(`answered ${responses} times`);
  if (effects > 1) broken.push(`has ${effects} effects`);
  if (starts > 1) broken.push(`was started ${starts} times`);
  if (outcome === 'ok' && effects !== 1) broken.push(`answered OK with ${effects} effects`);
  if (outcome === 'ok' && !text.startsWith(`${record.id} by `))
    broken.push(`got the answer ${JSON.stringify(text.slice(0, 60))}`);
  if (outcome === 'error' && executed === undefined) broken.push('failed without saying whether it ran');
  if (executed === 'no' && starts + effects > 0) broken.push('promised executed "no", but it ran');
  if (executed === 'yes' && effects !== 1) broken.push(`said executed "yes", with ${effects} effects`);
  const tookMs = record.endedAt - record.startedAt;
  const allowedMs = options.timeoutMs + answerGraceMs + (record.reason === 'upstream_lost' ? lostWithinMs : 0);
  if (answered && tookMs > allowedMs + (options.slackMs ?? 1_000)) broken.push(`took ${Math.round(tookMs)} ms`);
  return broken;
}

function countOf(journal: readonly Entry[], what: Entry['what']): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of journal) if (entry.what === what) counts.set(entry.id, (counts.get(entry.id) ?? 0) + 1);
  return counts;
}

function describe({ outcome, status, reason, executed, message }: CallRecord): string {
  return [outcome, status, reason, executed && `executed ${executed}`, message].filter(Boolean).join(', ');
}

/** How many calls ended how: `ok`, an error's reason, `connection_lost`. */
export function tally(records: readonly CallRecord[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome, reason } of records) {
    const name = outcome === 'error' ? (reason ?? 'error') : outcome;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}
