import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Core } from '../../services/ingress/core.ts';
import { ask, type Cores, startCores } from '../helpers/cores.ts';

const slots = 8;
/** Long, so that what is measured is turns and not how busy the machine is; never twice the same, or slots would come free in step for ever. */
const serviceMs = { mean: 500, spread: 125 };
/** The first is the noisy one. */
const agents = ['noisy', 'one', 'two', 'three'] as const;
/** Calls per second of one agent's part of what the server can do. */
const share = (slots * 1000) / serviceMs.mean / agents.length;
const modestRate = share * 0.6;
const noisyRate = share * 10;

/** Through which ingresses calls come, by index; each agent's calls go round. */
export interface Doors {
  readonly noisy: readonly number[];
  readonly modest: readonly number[];
}

/** Ingresses and one worker with few slots and a slow tool, tried once. */
export async function startNoisyAgents(ingresses: number): Promise<Cores> {
  const rig = await startCores(ingresses, {
    agents: Object.fromEntries(agents.map((name) => [name, {}])),
    server: { concurrency: slots, timeoutMs: 60_000 },
  });
  for (const core of rig.cores) await ask(core, { agent: 'one' });
  return rig;
}

/** p99 of the calls of three modest agents, in milliseconds, while the fourth makes as many as each of them, or ten times its share. */
export async function modestP99(rig: Cores, doors: Doors, noise: 'quiet' | 'noisy', forMs: number): Promise<number> {
  const over = new AbortController();
  // One listener for each call that is on its way.
  setMaxListeners(0, over.signal);
  const through = (indexes: readonly number[]) =>
    indexes.map((at) => rig.cores[at]).filter((core) => core !== undefined);
  const noisy = load(through(doors.noisy), agents[0], noise === 'noisy' ? noisyRate : modestRate, forMs, over.signal);
  const modest = await Promise.all(
    agents.slice(1).map((agent) => load(through(doors.modest), agent, modestRate, forMs, over.signal)),
  );
  over.abort();
  await noisy;
  return quantile(modest.flat(), 0.99);
}

/** Makes calls at a rate, whatever becomes of them; returns how long those that came through took. */
async function load(
  cores: readonly Core[],
  agent: string,
  perSecond: number,
  forMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const startedAt = performance.now();
  const took: number[] = [];
  const running: Promise<void>[] = [];
  let made = 0;
  let nextAt = (1000 / perSecond) * Math.random();
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    for (; nextAt < elapsed; nextAt += (1000 / perSecond) * (0.5 + Math.random())) {
      const core = cores[made % cores.length];
      if (core !== undefined) running.push(timed(core, agent, took, signal));
      made += 1;
    }
    await delay(3);
  }
  await Promise.all(running);
  return took;
}

async function timed(core: Core, agent: string, took: number[], signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const end = await ask(core, {
    agent,
    delayMs: Math.round(serviceMs.mean + serviceMs.spread * (2 * Math.random() - 1)),
    signal,
  });
  if (end === 'ok') took.push(performance.now() - startedAt);
}

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}
