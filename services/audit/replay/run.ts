import type { IgnoreRule } from '../../../shared/audit/json-diff.ts';
import { type Answer, compare, type ReplayedCall } from './compare.ts';
import type { Pace } from './pace.ts';
import type { RecordedCall, SkippedCall, SkipReason } from './recorded-call.ts';
import type { RunStore } from './run-store.ts';

export interface ReplayCounts {
  same: number;
  different: number;
  failed: number;
  skipped: number;
}

export interface ReplayOptions {
  readonly calls: AsyncIterable<RecordedCall | SkippedCall>;
  readonly store: RunStore;
  /** Calls that have a result from before a run was cut off. */
  readonly done: ReadonlySet<string>;
  readonly pace: Pace;
  /** Calls on their way at the same time, at most. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Why a call is not made again although it could be. */
  verdictOn(call: RecordedCall): SkipReason | undefined;
  issue(call: RecordedCall): Promise<Answer>;
  ignoreFor(call: RecordedCall): readonly IgnoreRule[];
  onResult?(counts: Readonly<ReplayCounts>): void;
}

/**
 * Makes recorded calls again, in their order, and keeps how each answer compares. Ends early, with what is done kept, when the signal aborts: calls
 * on their way are waited for.
 */
export async function replay(options: ReplayOptions): Promise<{ counts: ReplayCounts; finished: boolean }> {
  const { calls, store, done, pace, concurrency, signal, verdictOn, issue, ignoreFor } = options;
  const counts: ReplayCounts = { same: 0, different: 0, failed: 0, skipped: 0 };
  const running = new Set<Promise<void>>();
  let broken: unknown;

  async function keep(result: ReplayedCall | SkippedCall): Promise<void> {
    counts['skipped' in result ? 'skipped' : result.verdict] += 1;
    await store.add(result);
    options.onResult?.(counts);
  }

  async function again(call: RecordedCall): Promise<void> {
    const begun = performance.now();
    const answer = await issue(call);
    await keep(compare(call, answer, Math.round((performance.now() - begun) * 1000) / 1000, ignoreFor(call)));
  }

  let finished = true;
  for await (const call of calls) {
    if (signal.aborted || broken !== undefined) {
      finished = false;
      break;
    }
    if (done.has(call.call)) continue;
    if ('skipped' in call) {
      await keep(call);
      continue;
    }
    const why = verdictOn(call);
    if (why !== undefined) {
      await keep({ call: call.call, server: call.server, target: call.target, skipped: why });
      continue;
    }
    try {
      await pace.turn(call.at, signal);
    } catch {
      finished = false;
      break;
    }
    while (running.size >= concurrency) await Promise.race(running);
    const one = again(call)
      .catch((error: unknown) => {
        broken ??= error;
      })
      .finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  if (broken !== undefined) throw broken;
  return { counts, finished };
}
