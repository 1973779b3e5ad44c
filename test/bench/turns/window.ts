import type { Running } from '../processes.ts';
import { stolenShare } from '../steal.ts';
import { type Context, order } from '../suites/suite.ts';
import { type CpuReading, cpuSeconds } from '../usage.ts';
import type { Lane, Measured } from './lane.ts';

/**
 * Measures one window of a lane. CPU is read while nothing is in flight, before and after, and belongs to all calls in between; so is
 * what other guests took.
 */
export async function measureWindow(
  context: Context,
  lane: Lane,
  others: readonly Running[],
  turn: string,
): Promise<Measured> {
  const { usage, machineClock } = context;
  const { processes } = lane.target;
  // Connections are opened before the CPU is read.
  await order(context, lane.target, lane.server, { kind: 'connect', agents: agentsOf(lane) });
  await lane.before?.();

  const read = (running: readonly Running[]): ReadonlyMap<Running, CpuReading> =>
    new Map(usage === undefined ? [] : running.map((each) => [each, usage.cpu(each.pid)]));
  const [own, idle, clock, began] = [read(processes), read(others), machineClock?.(), performance.now()];
  const outcome = await order(context, lane.target, lane.server, lane.job);
  const seconds = (performance.now() - began) / 1000;
  const stolen = clock === undefined || machineClock === undefined ? 0 : stolenShare(clock, machineClock());

  const since = (each: Running, before: CpuReading): number =>
    usage === undefined ? 0 : cpuSeconds(before, usage.cpu(each.pid));
  const used = new Map(
    [...own].map(([each, before]) => [
      each,
      { cpuSeconds: since(each, before), rssMiB: usage?.rssMiB(each.pid) ?? Number.NaN },
    ]),
  );
  const idleSeconds = [...idle].reduce((sum, [each, before]) => sum + since(each, before), 0);
  const idleCpus = idle.size === 0 ? undefined : idleSeconds / seconds;
  await lane.after?.();
  return { turn, outcome, used, idleCpus, stolen };
}

function agentsOf({ job }: Lane): number {
  return job.kind === 'list' ? 1 : job.agents;
}
