import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load, tookMs } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';

test('broker lost - a killed nats-server is noticed at once, and nothing that waited in a buffer runs later', async (t) => {
  await using rig = await openRig({ workers: 2, timeoutMs: 20_000 });
  const inFlight = Array.from({ length: 6 }, () => rig.call({ delayMs: 6_000 }));
  await until('all of them run', () => rig.journal().filter(({ what }) => what === 'start').length >= 6);
  const killedAt = performance.now();
  await rig.broker.kill();

  await delay(100);
  const refused = await load(rig, { agents: 4, calls: 12 });
  for (const record of refused) {
    assert.equal(record.reason, 'broker_unavailable');
    assert.equal(record.status, 503);
  }
  const waits = refused.map(tookMs).sort((a, b) => a - b);
  assert.ok(
    (waits[6] ?? 0) < 500 && (waits.at(-1) ?? 0) < 3_000,
    `refused after ${waits.map(Math.round).join(', ')} ms`,
  );
  assert.equal((await fetch(`${rig.ingress.ready.admin}/readyz`)).status, 503);
  const lost = await Promise.all(inFlight);
  const lostAfterMs = Math.max(...lost.map(({ endedAt }) => endedAt - killedAt));
  t.diagnostic(`in flight: answered at most ${Math.round(lostAfterMs)} ms after the kill`);
  assert.deepEqual(tally(lost), { upstream_lost: 6 });
  for (const { executed } of lost) assert.equal(executed, 'unknown');
  assert.ok(lostAfterMs < 3_500);

  const restartedAt = performance.now();
  await rig.broker.restart();
  await healed(rig);
  t.diagnostic(`calls again ${Math.round(performance.now() - restartedAt)} ms after the restart began`);
  await until('both workers are in the registry again', async () => (await rig.instances()).length === 2);
  const after = await load(rig, { agents: 4, calls: 20 });
  assert.deepEqual(tally(after), { ok: 20 });
  assert.equal((await fetch(`${rig.ingress.ready.admin}/readyz`)).status, 200);
  await assertPromisesKept(rig);
});

test('broker lost - a nats-server that is asked to stop takes no call with it that had not begun', async (t) => {
  await using rig = await openRig({ workers: 2, timeoutMs: 20_000 });
  let over = false;
  const running = load(rig, { agents: 8, delayMs: 50, over: () => over });
  await until('calls are answered', () => rig.records.length > 20);
  rig.broker.signal('SIGTERM');
  await delay(2_000);
  await rig.broker.restart();
  await healed(rig);
  over = true;
  const ends = tally(await running);
  t.diagnostic(JSON.stringify(ends));
  // Those that ran when it went, eight at most; all others were refused.
  assert.ok((ends['upstream_lost'] ?? 0) <= 8);
  for (const how of Object.keys(ends))
    assert.ok(['ok', 'upstream_lost', 'broker_unavailable', 'audit_unavailable', 'no_worker'].includes(how), how);
  await assertPromisesKept(rig);
});

test('broker lost - an answer that is lost in a quick restart does not leave its call waiting for the deadline', async (t) => {
  await using rig = await openRig({ workers: 2, timeoutMs: 30_000 });
  let over = false;
  const running = load(rig, { agents: 12, delayMs: 150, over: () => over });
  await delay(700);
  const killedAt = performance.now();
  await rig.broker.restart();
  await delay(3_000);
  over = true;
  const records = await running;
  t.diagnostic(JSON.stringify(tally(records)));
  const slowest = Math.max(...records.filter(({ startedAt }) => startedAt < killedAt + 500).map(tookMs));
  t.diagnostic(`slowest answer ${Math.round(slowest)} ms`);
  assert.ok(slowest < 8_000, `a call waited ${slowest} ms`);
  await healed(rig);
  await assertPromisesKept(rig, 500);
});

test('broker lost - calls into a frozen nats-server are answered, and those not executed never run when it thaws', async (t) => {
  await using rig = await openRig({ workers: 2, timeoutMs: 4_000 });
  const inFlight = Array.from({ length: 3 }, () => rig.call({ delayMs: 600 }));
  await delay(300);
  rig.broker.signal('SIGSTOP');
  const records = [...(await Promise.all(inFlight)), ...(await load(rig, { agents: 4, calls: 12 }))];
  t.diagnostic(JSON.stringify(tally(records)));
  for (const { outcome } of records) assert.equal(outcome, 'error');
  rig.broker.signal('SIGCONT');
  await healed(rig);
  await assertPromisesKept(rig);
});

test('broker lost - ingress and worker stop cleanly while it is away', async () => {
  await using rig = await openRig({ workers: 1 });
  await rig.broker.kill();
  await delay(200);
  const stopping = [rig.ingress, ...rig.workers];
  for (const toolbus of stopping) toolbus.signal('SIGTERM');
  for (const toolbus of stopping)
    assert.deepEqual(await toolbus.exited, { code: 0, signal: null }, toolbus.logs.join('\n'));
});
