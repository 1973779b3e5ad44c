import type { RunResult } from './run-store.ts';

export interface ToolSummary {
  readonly server: string;
  readonly target: string;
  same: number;
  different: number;
  failed: number;
  skipped: number;
}

export interface RunSummary {
  readonly counts: { same: number; different: number; failed: number; skipped: number };
  /** By server and tool, in the order of their names. */
  readonly tools: readonly ToolSummary[];
  /** Why calls were skipped or failed, and how many. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** Counts the results of a run, as a whole and per tool. */
export async function summarize(results: AsyncIterable<RunResult> | Iterable<RunResult>): Promise<RunSummary> {
  const counts = { same: 0, different: 0, failed: 0, skipped: 0 };
  const tools = new Map<string, ToolSummary>();
  const reasons = new Map<string, number>();
  for await (const result of results) {
    const { server, target } = result;
    const verdict = 'skipped' in result ? 'skipped' : result.verdict;
    const reason = 'skipped' in result ? result.skipped : result.reason;
    const key = JSON.stringify([server, target]);
    const tool = tools.get(key) ?? { server, target, same: 0, different: 0, failed: 0, skipped: 0 };
    tools.set(key, tool);
    tool[verdict] += 1;
    counts[verdict] += 1;
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const sorted = [...tools].sort(([one], [two]) => (one < two ? -1 : 1)).map(([, tool]) => tool);
  return { counts, tools: sorted, reasons };
}
