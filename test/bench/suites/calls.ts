import type { Running } from '../processes.ts';
import type { Usage } from '../usage.ts';
import { type Context, measure, prime, type Suite } from './suite.ts';

/** Agents calling at once, and for how many seconds. */
const steps = [
  { agents: 1, seconds: 6 },
  { agents: 16, seconds: 4 },
  { agents: 64, seconds: 5 },
  { agents: 256, seconds: 4 },
] as const;

/** What fsync costs shows where records share messages; alone, it is the latency of the disk. */
const syncedAgents = 64;

/** Latency, throughput, CPU and memory of 100-byte calls by 1, 16, 64 and 256 agents. */
export const calls: Suite = {
  name: 'calls',
  targets: ['direct', 'floor', 'toolbus', 'synced', 'unaudited'],
  async run(context) {
    const target = await context.start([{ name: 'fast', tools: 251, concurrency: 512 }]);
    await prime(context, target, 'fast');
    for (const { agents, seconds } of steps.filter(
      (step) => target.name !== 'synced' || step.agents === syncedAgents,
    )) {
      const job = { kind: 'closed', agents, work: { tool: 'echo' }, window: context.window(seconds) } as const;
      let before: ReadonlyMap<Running, number> | undefined;
      const outcome = await measure(context, target, 'fast', job, () => {
        before = cpuOf(target.processes, context.usage);
      });
      // A fault already: there is nothing to tell of it.
      if (outcome.calls === 0) continue;
      const name = `c${agents}`;
      context.record(`${name}.p50`, outcome.latency.p50);
      context.record(`${name}.p99`, outcome.latency.p99);
      context.record(`${name}.rps`, outcome.calls / outcome.seconds);
      if (context.usage === undefined || before === undefined || target.processes.length === 0) continue;
      recordUsage(context, context.usage, name, target.processes, before, outcome.calls / 1000);
    }
    await target.stop();
  },
};

function cpuOf(processes: readonly Running[], usage: Usage | undefined): ReadonlyMap<Running, number> | undefined {
  return usage && new Map(processes.map((each) => [each, usage.cpuSeconds(each.pid)]));
}

function recordUsage(
  context: Context,
  usage: Usage,
  name: string,
  processes: readonly Running[],
  before: ReadonlyMap<Running, number>,
  thousands: number,
): void {
  let cpu = 0;
  let rss = 0;
  for (const each of processes) {
    const used = (usage.cpuSeconds(each.pid) - before.get(each)!) / thousands;
    const resident = usage.rssMiB(each.pid);
    context.record(`${name}.cpu.${each.name}`, used);
    context.record(`${name}.rss.${each.name}`, resident);
    cpu += used;
    rss += resident;
  }
  context.record(`${name}.cpu`, cpu);
  context.record(`${name}.rss`, rss);
}
