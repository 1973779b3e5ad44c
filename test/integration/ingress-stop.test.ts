import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';

const startedOf = (journal: ReadonlyArray<{ readonly what: string }>) =>
  journal.filter(({ what }) => what === 'start').length;

test('ingress stop - SIGTERM lets calls in flight finish and refuses new ones as shutting_down', async (t) => {
  await using rig = await openRig({ workers: 1, concurrency: 16, timeoutMs: 8_000 });
  const inFlight = Array.from({ length: 6 }, () => rig.call({ delayMs: 2_000 }));
  await until('all of them run', () => startedOf(rig.journal()) >= 6);
  // Connections that are open already: a listener that has closed takes no others.
  let over = false;
  const running = load(rig, { agents: 3, delayMs: 20, over: () => over });
  await delay(300);
  rig.ingress.signal('SIGTERM');
  await delay(1_000);
  over = true;
  const finished = await Promise.all(inFlight);
  assert.deepEqual(tally(finished), { ok: 6 });
  assert.deepEqual(await rig.ingress.exited, { code: 0, signal: null });
  const records = await running;
  t.diagnostic(JSON.stringify(tally(records)));
  for (const { outcome, reason, status } of records) {
    if (outcome === 'error') assert.deepEqual({ reason, status }, { reason: 'shutting_down', status: 503 });
  }
  await assertPromisesKept(rig, 0);
});

test('ingress stop - a call whose time passed while the ingress stood still is not begun after', async (t) => {
  await using rig = await openRig({ workers: 1, concurrency: 1, timeoutMs: 2_000 });
  const running = Array.from({ length: 4 }, () => rig.call({ delayMs: 900 }));
  await until('one of them runs', () => startedOf(rig.journal()) >= 1);
  rig.ingress.signal('SIGSTOP');
  await delay(4_000);
  const before = startedOf(rig.journal());
  rig.ingress.signal('SIGCONT');
  const records = await Promise.all(running);
  t.diagnostic(JSON.stringify(tally(records)));
  await delay(500);
  assert.equal(startedOf(rig.journal()), before, 'nothing was begun after its time');
  // Whoever stood still could not answer in time; everything else must hold.
  const broken = rig.violations().filter((violation) => !/took \d+ ms/.test(violation));
  assert.deepEqual(broken, []);
  await healed(rig);
});

test('ingress stop - SIGKILL under load makes nothing run twice', async () => {
  await using rig = await openRig({ workers: 2, timeoutMs: 3_000 });
  const running = load(rig, { agents: 8, delayMs: 50, over: () => rig.records.length > 60 });
  await until('the load runs', () => rig.records.length > 30);
  rig.ingress.signal('SIGKILL');
  await running;
  await assertPromisesKept(rig, 3_500);
});
