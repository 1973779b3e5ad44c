import type { CatalogChange } from '../../../audit/replay/catalog-changes.ts';
import type { RecordedCall, SkippedCall, SkipReason } from '../../../audit/replay/recorded-call.ts';
import type { RunFacts } from '../../../audit/replay/run-store.ts';
import type { RunSummary } from '../../../audit/replay/summary.ts';
import { printable } from '../../output/printable.ts';
import { table } from '../../output/table.ts';

interface ReportFlags {
  readonly json?: boolean | undefined;
}

/** What a run came to: per tool, then the reasons, then the sum. */
export function printSummary(
  flags: ReportFlags,
  facts: RunFacts,
  summary: RunSummary,
  target: string,
  finished: boolean,
): void {
  const { counts, tools, reasons } = summary;
  const { run, catalog } = facts;
  if (flags.json === true) {
    const object = Object.fromEntries(reasons);
    process.stdout.write(`${JSON.stringify({ run, target, finished, ...counts, tools, reasons: object, catalog })}\n`);
    return;
  }
  const lines = [`replay ${run} against ${printable(target)}`, ''];
  if (tools.length > 0) {
    const rows = tools.map((tool) => [
      `${tool.server}__${tool.target}`,
      ...[tool.same, tool.different, tool.failed, tool.skipped].map(String),
    ]);
    lines.push(table([['tool', 'same', 'different', 'failed', 'skipped'], ...rows]), '');
  }
  for (const [reason, count] of reasons) lines.push(`${String(count).padStart(8)}  ${printable(reason)}`);
  if (reasons.size > 0) lines.push('');
  lines.push(...catalogLines(catalog));
  lines.push(
    `${counts.same} same, ${counts.different} different, ${counts.failed} failed, ${counts.skipped} skipped${finished ? '' : ' (cut off)'}`,
  );
  if (!finished) lines.push(`go on: toolbus audit replay --resume ${run}`);
  if (counts.different > 0) lines.push(`read the differences: toolbus audit diff ${run}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** What a run would do. Nothing is called and nothing kept. */
export async function printDryRun(
  flags: ReportFlags,
  calls: AsyncIterable<RecordedCall | SkippedCall>,
  verdictOn: (call: RecordedCall) => SkipReason | undefined,
  catalog: readonly CatalogChange[],
  target: string,
): Promise<void> {
  let replayed = 0;
  const skipped = new Map<string, number>();
  for await (const call of calls) {
    const why = 'skipped' in call ? call.skipped : verdictOn(call);
    if (why === undefined) replayed += 1;
    else skipped.set(why, (skipped.get(why) ?? 0) + 1);
  }
  if (flags.json === true) {
    const reasons = Object.fromEntries(skipped);
    const sum = [...skipped.values()].reduce((total, count) => total + count, 0);
    process.stdout.write(
      `${JSON.stringify({ dryRun: true, target, calls: replayed, skipped: sum, reasons, catalog })}\n`,
    );
    return;
  }
  const lines = [`would make ${replayed} calls again, against ${printable(target)}`];
  for (const [reason, count] of skipped) lines.push(`${String(count).padStart(8)}  skipped: ${reason}`);
  lines.push(...catalogLines(catalog));
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Which tools came, went and changed between then and now. */
export function catalogLines(catalog: readonly CatalogChange[]): string[] {
  return catalog.flatMap(({ server, now, added, removed, changed }) => [
    `tools of ${server}${now === server ? '' : ` and ${now}`} then and now:`,
    ...added.map((name) => `  + ${printable(name)}`),
    ...removed.map((name) => `  - ${printable(name)}`),
    ...changed.map((name) => `  ~ ${printable(name)} (description, schema or annotations)`),
    '',
  ]);
}
