import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { verifies } from '../requirements.ts';
import { type Doors, modestP99, startNoisyAgents } from './noisy-agents.ts';

const roundMs = 10_000;
const rounds = 4;
const most = 1.5;
/** A round in which this process stood still for longer says nothing about turns. */
const stallMs = 150;

/** How many times the p99 of the modest agents rises. A machine that is busy with other things spoils single rounds, so the best of each counts. */
async function rise(t: TestContext, ingresses: number, doors: Doors): Promise<number> {
  await using rig = await startNoisyAgents(ingresses);
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  let quiet = Number.POSITIVE_INFINITY;
  let noisy = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && !(noisy / quiet <= most); round += 1) {
    const quietNow = await modestP99(rig, doors, 'quiet', roundMs);
    const noisyNow = await modestP99(rig, doors, 'noisy', roundMs);
    const stalledMs = stalls.max / 1e6;
    stalls.reset();
    if (stalledMs > stallMs) {
      t.diagnostic(`does not count: a stall of ${stalledMs.toFixed(0)} ms`);
      continue;
    }
    quiet = Math.min(quiet, quietNow);
    noisy = Math.min(noisy, noisyNow);
    const found = `p99 ${quiet.toFixed(0)} ms, beside the noisy one ${noisy.toFixed(0)} ms`;
    t.diagnostic(`${found}: ${(noisy / quiet).toFixed(2)} x`);
  }
  stalls.disable();
  assert.ok(Number.isFinite(quiet), 'the machine is too busy to measure anything');
  return noisy / quiet;
}

const cases: Record<string, { ingresses: number; doors: Doors }> = {
  'through one ingress': { ingresses: 1, doors: { noisy: [0], modest: [0] } },
  'all of them through both ingresses': { ingresses: 2, doors: { noisy: [0, 1], modest: [0, 1] } },
  'through another ingress than theirs': { ingresses: 2, doors: { noisy: [0], modest: [1] } },
  'through three ingresses, they through one': { ingresses: 3, doors: { noisy: [0, 1, 2], modest: [1] } },
};

for (const [name, { ingresses, doors }] of Object.entries(cases)) {
  test(`noisy neighbour - ten times its share, ${name}, leaves the others their p99`, async (t) => {
    verifies(ingresses === 1 ? 'limits:fair-turns' : 'limits:fair-turns-ingresses');
    const times = await rise(t, ingresses, doors);
    assert.ok(times <= most, `p99 of the others rose ${times.toFixed(2)} times`);
  });
}
