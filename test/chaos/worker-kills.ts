import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { assertGone, descendantsOf, type ProcessId } from '../helpers/processes.ts';
import { until } from '../helpers/until.ts';
import { type CallRecord, judge, tally } from './oracle.ts';
import { openRig, type Rig, type Worker } from './rig.ts';

export interface WorkerKillsOptions {
  readonly calls: number;
  readonly kills: number;
  /** Agents that call one after another. */
  readonly agents: number;
  readonly workers: number;
}

export interface WorkerKillsReport {
  /** Calls by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly kills: number;
  readonly seconds: number;
  readonly violations: readonly string[];
  /** Subscriptions on the broker by role, and JetStream consumers: before and after. */
  readonly subscriptions: readonly [Readonly<Record<string, number>>, Readonly<Record<string, number>>];
  readonly consumers: readonly [number, number];
  /** Of the ingress, in MiB: median of the second quarter of the run, and of the last one. */
  readonly ingressMiB: readonly [number, number];
  readonly ingressOpenFiles: readonly [number, number];
  /** The longest this machine kept a process of ours from running: no clock of ours can be held tighter. */
  readonly longestStallMs: number;
  /** From the answer of a lost call back to the kill that took its worker, at worst. */
  readonly slowestLossMs: number;
}

/** Every fifth worker is asked to stop (SIGTERM), the others get SIGKILL. */
const politeEvery = 5;
const effectsSettleMs = 5_000;
const warmUp = 20;

/**
 * Calls under load while workers are killed and started again; one of them always lives.
 * Throws when a process below a worker outlives it.
 */
export async function runWorkerKills(options: WorkerKillsOptions): Promise<WorkerKillsReport> {
  const delays = monitorEventLoopDelay();
  delays.enable();
  const begun = performance.now();
  await using rig = await openRig({ workers: options.workers, timeoutMs: 5_000, concurrency: 8 });
  for (let count = 0; count < warmUp; count += 1) await rig.call();
  const before = await countsOf(rig);

  const memory: number[] = [];
  const below: ProcessId[] = [];
  const alive: Worker[] = [...rig.workers];
  const killedAt: number[] = [];
  let kills = 0;
  let issued = 0;
  let allowed = 0;

  const agent = async (): Promise<void> => {
    while (issued < options.calls) {
      // Calls come in bursts, one for each kill, so that every kill hits some.
      if (issued >= allowed) {
        await delay(10);
        continue;
      }
      issued += 1;
      const { executed } = await rig.call({ delayMs: 30 });
      // What did not run may be tried again a little later, as Retry-After says; here sooner.
      if (executed === 'no') await delay(100);
    }
  };

  const replace = async (victim: Worker): Promise<void> => {
    below.push(...descendantsOf(victim.pid));
    killedAt.push(performance.now());
    if (kills % politeEvery === 0) await victim.stop();
    else victim.signal('SIGKILL');
    await victim[Symbol.asyncDispose]();
    alive.push(await rig.addWorker());
    memory.push(residentMiB(rig.ingress.pid));
  };

  const nemesis = async (): Promise<void> => {
    const perKill = options.calls / options.kills;
    const replacements: Promise<void>[] = [];
    for (; kills < options.kills; kills += 1) {
      await until('two workers live', () => alive.length >= 2, 60_000);
      allowed = Math.ceil((kills + 1) * perKill);
      const third = warmUp + Math.floor((kills + 1 / 3) * perKill);
      await until('the load goes on', () => rig.records.length >= third, 60_000);
      const victim = alive.shift();
      if (victim !== undefined) replacements.push(replace(victim));
    }
    await Promise.all(replacements);
  };

  const agents = Array.from({ length: options.agents }, agent);
  await nemesis().finally(() => {
    allowed = options.calls;
  });
  await Promise.all(agents);
  await assertGone(below, 5_000);

  const healed: CallRecord[] = [];
  for (let count = 0; count < 20; count += 1) healed.push(await rig.call());
  await delay(effectsSettleMs);
  const after = await countsOf(rig, before);
  const violations = judge(rig.records, rig.journal(), { timeoutMs: 5_000 });
  for (const record of healed)
    if (record.outcome !== 'ok') violations.push(`${record.id}: after the last kill ${record.reason}`);
  return {
    outcomes: tally(rig.records),
    kills,
    seconds: Math.round((performance.now() - begun) / 1000),
    violations,
    subscriptions: [before.subscriptions, after.subscriptions],
    consumers: [before.consumers, after.consumers],
    ingressMiB: [quarter(memory, 1), quarter(memory, 3)],
    ingressOpenFiles: [before.openFiles, after.openFiles],
    longestStallMs: Math.round(delays.max / 1e6),
    slowestLossMs: slowestLoss(rig.records, killedAt),
  };
}

interface Counts {
  readonly subscriptions: Readonly<Record<string, number>>;
  readonly consumers: number;
  readonly openFiles: number;
}

/** Waits for the `expected` subscriptions, but not for ever. The broker forgets the consumers of killed workers' watches after five minutes. */
async function countsOf(rig: Rig, expected?: Counts): Promise<Counts> {
  const read = async (): Promise<Counts> => ({
    subscriptions: Object.fromEntries([...(await rig.broker.subscriptions())].sort()),
    consumers: await rig.broker.consumers(),
    openFiles: openFilesOf(rig.ingress.pid),
  });
  const end = performance.now() + 10_000;
  for (;;) {
    const counts = await read();
    const same = expected === undefined || isSame(counts.subscriptions, expected.subscriptions);
    if (same || performance.now() > end) return counts;
    await delay(500);
  }
}

const isSame = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Median of one quarter of the values. */
function quarter(values: readonly number[], index: number): number {
  const size = Math.max(1, Math.floor(values.length / 4));
  const part = values.slice(index * size, (index + 1) * size).sort((a, b) => a - b);
  return part[Math.floor(part.length / 2)] ?? 0;
}

/** A lost call began before its worker was killed and was answered after. */
function slowestLoss(records: readonly CallRecord[], killedAt: readonly number[]): number {
  let slowest = 0;
  for (const { reason, startedAt, endedAt } of records) {
    if (reason !== 'upstream_lost') continue;
    const kill = killedAt.find((at) => at >= startedAt - 50 && at <= endedAt);
    if (kill !== undefined) slowest = Math.max(slowest, endedAt - kill);
  }
  return Math.round(slowest);
}

export function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
