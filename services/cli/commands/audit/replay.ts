import { join } from 'node:path';
import { ignoredFor } from '../../../../shared/audit/ignore-rules.ts';
import { resolveRuntime } from '../../../../shared/config/runtime.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import { createProcessId } from '../../../../shared/ids.ts';
import { type FoundRecord, readRecords } from '../../../audit/read-records.ts';
import { compileFilter } from '../../../audit/record-filter.ts';
import { inOrderOfIntent } from '../../../audit/replay/in-order.ts';
import { createPace } from '../../../audit/replay/pace.ts';
import type { RecordedCall, SkipReason } from '../../../audit/replay/recorded-call.ts';
import { replay } from '../../../audit/replay/run.ts';
import { createRun, type RunFacts, readResults, resumeRun } from '../../../audit/replay/run-store.ts';
import { summarize } from '../../../audit/replay/summary.ts';
import { type Survey, survey } from '../../../audit/replay/survey.ts';
import { parseMoment } from '../../../audit/time-argument.ts';
import { createProgressBar } from '../../output/progress.ts';
import { withCore } from '../with-core.ts';
import type { FilterFlags } from './filter-flags.ts';
import { catalogChanges, destinations, factorOf, urlOf } from './replay-arguments.ts';
import { replayOnBus } from './replay-on-bus.ts';
import { replayOverHttp } from './replay-over-http.ts';
import { printDryRun, printSummary } from './replay-report.ts';
import { isRepeatable, type ReplayTarget } from './replay-target.ts';
import { type OpenAudit, withAudit } from './with-audit.ts';

export interface ReplayFlags extends Omit<FilterFlags, 'server'> {
  /** `NAME`, or `RECORDED=ASKED`; several. */
  readonly server?: readonly string[];
  readonly speed?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly all?: boolean;
  readonly concurrency?: number;
  readonly ignore?: readonly string[];
  readonly resume?: string;
}

/** Calls on their way at the same time, where the pace lets them. */
const defaultConcurrency = 8;

/** Where runs are kept, under the data directory. */
export function runsIn(dataDir: string): string {
  return join(dataDir, 'replays');
}

/** `toolbus audit replay`: makes recorded calls again and keeps how the answers compare. */
export async function runAuditReplay(flags: ReplayFlags): Promise<number> {
  const root = runsIn(resolveRuntime(flags, process.env).dataDir);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const resumed = flags.resume === undefined ? undefined : await resumeRun(root, flags.resume);
  await withAudit(flags, async (audit) => {
    const asked = resumed?.store.facts ?? factsOf(flags);
    const seen = await survey(recordsOf(audit, asked), asked.filter.outcome);
    const isKnown = (server: string) => asked.to !== undefined || Object.hasOwn(audit.config.servers, server);
    const servers = resumed === undefined ? destinations(flags.server ?? [], seen.servers, isKnown) : asked.servers;
    const facts = { ...asked, servers };
    await withTarget(flags, facts, seen, stop.signal, async (target) => {
      const calls = inOrderOfIntent(onlyFrom(recordsOf(audit, facts), servers), facts.filter.outcome);
      const verdictOn = (call: RecordedCall) => whyNot(call, target, facts.all);
      const catalog = catalogChanges(seen, target);
      if (flags.dryRun === true) return printDryRun(flags, calls, verdictOn, catalog, target.name);
      const store = resumed?.store ?? (await createRun(root, { ...facts, catalog }));
      const done = resumed?.done ?? new Set<string>();
      const bar = createProgressBar(process.stderr);
      const total = callsOf(seen, servers);
      const { finished } = await replay({
        calls,
        store,
        done,
        pace: createPace(factorOf(facts.speed)),
        concurrency: flags.concurrency ?? defaultConcurrency,
        signal: stop.signal,
        verdictOn,
        issue: (call) => target.issue(call, target.serverFor(call.server) ?? call.server),
        ignoreFor: ({ server, target: tool }) => [
          ...facts.ignore,
          ...ignoredFor(audit.config.audit.replay.ignore, { server, tool }),
        ],
        onResult({ same, different, failed, skipped }) {
          const note = `${same} same, ${different} different, ${failed} failed, ${skipped} skipped`;
          bar.show(done.size + same + different + failed + skipped, total, note);
        },
      });
      bar.end();
      if (finished) await store.update({ finishedAt: new Date().toISOString() });
      const summary = await summarize(readResults(root, store.facts.run));
      printSummary(flags, store.facts, summary, target.name, finished);
    });
  });
  return exitCode.ok;
}

function factsOf(flags: ReplayFlags): RunFacts {
  const now = Date.now();
  const { agent, tool, outcome, speed = 'max', ignore = [], all = false } = flags;
  factorOf(speed);
  for (const rule of ignore) {
    if (!rule.startsWith('/')) throw new OperatorError(exitCode.usage, '--ignore is a JSON pointer: it begins with /');
  }
  return {
    run: `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}-${createProcessId().slice(0, 4)}`,
    startedAt: new Date(now).toISOString(),
    filter: {
      agent,
      tool,
      outcome,
      since: flags.since === undefined ? undefined : parseMoment('--since', flags.since, now),
      // What the replay itself records is none of its business.
      until: flags.until === undefined ? now : parseMoment('--until', flags.until, now),
    },
    servers: {},
    to: flags.to === undefined ? undefined : urlOf(flags.to).href,
    speed,
    all,
    ignore,
    catalog: [],
  };
}

/** Intents and outcomes of the range, and the events that tell of catalogs. How a call ended is known when both are joined. */
async function* recordsOf({ nc, names }: OpenAudit, { filter }: RunFacts): AsyncIterable<FoundRecord> {
  const { since, until, outcome: _ofCalls, ...ofRecords } = filter;
  const chosen = compileFilter(ofRecords);
  for await (const found of readRecords({ nc, stream: names.records, since, until, filter: compileFilter({}) })) {
    const { record, line } = found;
    if (Date.parse(record.time) < (since ?? 0)) continue;
    // An outcome may come after the end of the range in which its call was asked.
    if (record.kind !== 'outcome' && Date.parse(record.time) >= (until ?? Number.POSITIVE_INFINITY)) continue;
    if (record.kind === 'event' || chosen.match(line) !== undefined) yield found;
  }
}

async function* onlyFrom(
  records: AsyncIterable<FoundRecord>,
  servers: Readonly<Record<string, string>>,
): AsyncIterable<FoundRecord> {
  const all = Object.keys(servers).length === 0;
  for await (const found of records) {
    const { record } = found;
    if (all || (record.kind !== 'event' && record.server !== undefined && Object.hasOwn(servers, record.server)))
      yield found;
  }
}

async function withTarget(
  flags: ReplayFlags,
  facts: RunFacts,
  seen: Survey,
  signal: AbortSignal,
  use: (target: ReplayTarget) => Promise<void>,
): Promise<void> {
  const { run, to, servers } = facts;
  if (to !== undefined) {
    const asked = seen.servers.map((server) => servers[server] ?? server);
    const key = process.env['TOOLBUS_API_KEY'];
    const target = await replayOverHttp({ url: new URL(to), key, run, servers: asked, instead: servers, signal });
    return use(target).finally(() => target.close());
  }
  await withCore(
    flags as Omit<ReplayFlags, 'server'>,
    (core) => use(replayOnBus({ core, run, instead: servers, signal })),
    {
      makesCalls: flags.dryRun !== true,
    },
  );
}

function whyNot(call: RecordedCall, target: ReplayTarget, all: boolean): SkipReason | undefined {
  const server = target.serverFor(call.server);
  if (server === undefined) return 'no server to send it to';
  if (call.method !== 'tools/call') return undefined;
  const tool = target.tool(server, call.target);
  if (tool === undefined) return 'the tool is not there any more';
  return all || isRepeatable(tool) ? undefined : 'the tool may change something';
}

function callsOf({ calls }: Survey, servers: Readonly<Record<string, string>>): number {
  const all = Object.keys(servers).length === 0;
  return [...calls].reduce((sum, [server, count]) => (all || Object.hasOwn(servers, server) ? sum + count : sum), 0);
}
