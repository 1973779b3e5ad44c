import type { Difference } from '../../../../shared/audit/json-diff.ts';
import { resolveRuntime } from '../../../../shared/config/runtime.ts';
import { exitCode } from '../../../../shared/errors.ts';
import type { JsonValue } from '../../../../shared/mcp/json.ts';
import { differencesOf, type ReplayedCall } from '../../../audit/replay/compare.ts';
import { readFacts, readResults } from '../../../audit/replay/run-store.ts';
import type { CommonFlags } from '../../flags.ts';
import { printable } from '../../output/printable.ts';
import { table } from '../../output/table.ts';
import { runsIn } from './replay.ts';
import { catalogLines } from './replay-report.ts';

export interface DiffFlags extends CommonFlags {
  readonly ignore?: readonly string[];
}

interface ToolDifferences {
  calls: number;
  readonly paths: Map<string, number>;
}

const maxShown = 160;

/**
 * `toolbus audit diff RUN`: what differs between the recorded answers and those of a replay, first per tool, then field by field.
 * Exit 6 when anything does, the failed calls included.
 */
export async function runAuditDiff(run: string, flags: DiffFlags): Promise<number> {
  const root = runsIn(resolveRuntime(flags, process.env).dataDir);
  const facts = await readFacts(root, run);
  const ignore = flags.ignore ?? [];
  const tools = new Map<string, ToolDifferences>();
  let failed = 0;
  // Twice over the results instead of once with all of them in memory: the summary comes first.
  for await (const { result, differences } of differing(root, run, ignore)) {
    if (result.verdict === 'failed') failed += 1;
    const name = `${result.server}__${result.target}`;
    const tool = tools.get(name) ?? { calls: 0, paths: new Map<string, number>() };
    tools.set(name, tool);
    tool.calls += 1;
    for (const { path } of differences) tool.paths.set(path, (tool.paths.get(path) ?? 0) + 1);
  }
  const calls = [...tools.values()].reduce((sum, tool) => sum + tool.calls, 0);
  const isSame = calls === 0 && facts.catalog.length === 0;
  if (flags.json === true) {
    const summary = [...tools].map(([tool, { calls: count, paths }]) => ({
      tool,
      calls: count,
      paths: Object.fromEntries(paths),
    }));
    process.stdout.write(
      `${JSON.stringify({ run, different: calls - failed, failed, tools: summary, catalog: facts.catalog })}\n`,
    );
    for await (const { result, differences } of differing(root, run, ignore)) {
      const { call, server, target, reason } = result;
      process.stdout.write(`${JSON.stringify({ call, server, target, reason, differences })}\n`);
    }
    return isSame ? exitCode.ok : exitCode.difference;
  }
  if (isSame) {
    process.stdout.write(`replay ${facts.run}: no difference\n`);
    return exitCode.ok;
  }
  const rows = [...tools].map(([tool, { calls: count, paths }]) => [tool, String(count), mostFrequent(paths)]);
  if (rows.length > 0) process.stdout.write(`${table([['tool', 'calls', 'where'], ...rows])}\n\n`);
  for (const line of catalogLines(facts.catalog)) process.stdout.write(`${line}\n`);
  for await (const { result, differences } of differing(root, run, ignore)) {
    process.stdout.write(`${result.call}  ${printable(`${result.server}__${result.target}`)}\n`);
    if (result.verdict === 'failed') process.stdout.write(`    failed: ${printable(result.reason ?? '')}\n`);
    for (const { path, before, after } of differences) {
      process.stdout.write(`    ${printable(path === '' ? '(the answer)' : path)}\n`);
      process.stdout.write(`      - ${shown(before)}\n      + ${shown(after)}\n`);
    }
  }
  return exitCode.difference;
}

interface Differing {
  readonly result: ReplayedCall;
  readonly differences: readonly Difference[];
}

async function* differing(root: string, run: string, ignore: readonly string[]): AsyncIterable<Differing> {
  for await (const result of readResults(root, run)) {
    if ('skipped' in result || result.verdict === 'same') continue;
    if (result.verdict === 'failed') {
      yield { result, differences: [] };
      continue;
    }
    const { before, after } = result;
    if (before === undefined || after === undefined) continue;
    const differences = differencesOf(before, after, [...(result.ignored ?? []), ...ignore]);
    if (differences.length > 0) yield { result, differences };
  }
}

function mostFrequent(paths: ReadonlyMap<string, number>): string {
  const sorted = [...paths].sort(([, one], [, two]) => two - one);
  const first = sorted.slice(0, 3).map(([path, count]) => `${path === '' ? '(the answer)' : path} ×${count}`);
  return [...first, ...(sorted.length > 3 ? [`… ${sorted.length - 3} more`] : [])].join(', ');
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return '(absent)';
  const text = printable(typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(value));
  return text.length <= maxShown ? text : `${text.slice(0, maxShown - 1)}…`;
}
