import { median, percentile, pooled } from '../statistics.ts';
import type { Context } from '../suites/suite.ts';
import type { Lane, Measured } from './lane.ts';

/**
 * p50 of each window; p99 of the samples of all windows of the round in one, because a short window has too few for a rank so far out.
 */
export function recordLatency(context: Context, { target, name }: Lane, windows: readonly Measured[]): void {
  for (const { turn, outcome } of windows) {
    // A machine that stood still longer than the window: no call began in it.
    if (outcome.latencies.length === 0) continue;
    context.record(target.name, `${name}.p50`, turn, percentile(pooled([outcome.latencies]), 50));
  }
  const all = pooled(windows.map(({ outcome }) => outcome.latencies));
  if (all.length > 0) context.record(target.name, `${name}.p99`, `${context.round + 1}`, percentile(all, 99));
}

export function recordThroughput(context: Context, { target, name }: Lane, windows: readonly Measured[]): void {
  for (const { turn, outcome } of windows) {
    context.record(target.name, `${name}.rps`, turn, outcome.calls / outcome.seconds);
  }
}

/** CPU seconds per 1,000 calls and MiB, of each process and in sum; and what the targets that nobody called cost meanwhile. */
export function recordCost(context: Context, { target, name }: Lane, windows: readonly Measured[]): void {
  for (const { turn, outcome, used } of windows) {
    if (used.size === 0) continue;
    let [cpu, rss] = [0, 0];
    for (const [process, { cpuSeconds, rssMiB }] of used) {
      const perThousand = cpuSeconds / (outcome.answered / 1000);
      context.record(target.name, `${name}.cpu.${process.name}`, turn, perThousand);
      context.record(target.name, `${name}.rss.${process.name}`, turn, rssMiB);
      cpu += perThousand;
      rss += rssMiB;
    }
    context.record(target.name, `${name}.cpu`, turn, cpu);
    context.record(target.name, `${name}.rss`, turn, rss);
  }
  const idle = windows.map(({ idleCpus }) => idleCpus).filter((cpus) => cpus !== undefined);
  if (idle.length > 0) {
    context.record(target.name, `${name}.others`, `${context.round + 1}`, median(idle) * 100);
  }
}
