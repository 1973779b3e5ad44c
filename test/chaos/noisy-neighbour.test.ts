import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Core } from '../../services/ingress/core.ts';
import { ask, startCores } from '../helpers/cores.ts';
import { verifies } from '../requirements.ts';

const slots = 6;
/** Long, so that the test measures turns and not how busy the machine is. */
const serviceMs = 200;
const agents = ['noisy', 'one', 'two', 'three'] as const;
/** Calls per second of one agent's part of what the server can do. */
const share = (slots * 1000) / serviceMs / agents.length;
const modestRate = share * 0.6;
const rounds = 3;

/** Makes calls at a rate, whatever becomes of them; returns how long those that came through took. */
async function load(core: Core, agent: string, perSecond: number, forMs: number): Promise<number[]> {
  const startedAt = performance.now();
  const took: number[] = [];
  const running: Promise<void>[] = [];
  for (let made = 0, elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    for (; made < (elapsed * perSecond) / 1000; made += 1) running.push(timed(core, agent, took));
    await delay(3);
  }
  await Promise.all(running);
  return took;
}

async function timed(core: Core, agent: string, took: number[]): Promise<void> {
  const startedAt = performance.now();
  if ((await ask(core, { agent, delayMs: serviceMs })) === 'ok') took.push(performance.now() - startedAt);
}

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

/** p99 of the three modest agents while the fourth calls `noisyRate` times a second. */
async function modestP99(core: Core, noisyRate: number): Promise<number> {
  const stop = 10_000;
  const all = await Promise.all(agents.map((agent, at) => load(core, agent, at === 0 ? noisyRate : modestRate, stop)));
  return quantile(all.slice(1).flat(), 0.99);
}

test('noisy neighbour - ten times its share leaves the others their p99', async (t) => {
  verifies('limits:fair-turns');
  await using rig = await startCores(1, {
    agents: Object.fromEntries(agents.map((name) => [name, {}])),
    server: { concurrency: slots, timeoutMs: 60_000 },
  });
  assert.equal(await ask(rig.first, { agent: 'one' }), 'ok');
  // A machine that is busy with other things spoils single rounds, so the best of each counts.
  let quiet = Number.POSITIVE_INFINITY;
  let noisy = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && !(noisy / quiet <= 1.5); round += 1) {
    quiet = Math.min(quiet, await modestP99(rig.first, modestRate));
    noisy = Math.min(noisy, await modestP99(rig.first, share * 10));
    t.diagnostic(
      `p99 ${quiet.toFixed(0)} ms, beside the noisy one ${noisy.toFixed(0)} ms: ${(noisy / quiet).toFixed(2)} x`,
    );
  }
  assert.ok(noisy / quiet <= 1.5, `p99 of the others rose ${(noisy / quiet).toFixed(2)} times`);
});
