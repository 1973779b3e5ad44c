import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startLinkedBroker } from '../chaos/bus-link.ts';
import { tally } from '../chaos/oracle.ts';
import { openRigOn } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load, tookMs } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('bus link - a long and narrow way makes calls slower, and none is lost or runs twice', async (t) => {
  verifies('bus:slow-link');
  await using rig = await openRigOn(await startLinkedBroker(), { workers: 2, timeoutMs: 30_000 });
  // 200 ms there and back, 1 Mbit/s: to a worker and back it is twice that.
  rig.broker.slow({ delayMs: 100, bytesPerSecond: 125_000 });
  const first = await rig.call();
  const records = await load(rig, { agents: 4, calls: 40 });
  const times = records.map(tookMs).sort((a, b) => a - b);
  t.diagnostic(`the first call took ${Math.round(tookMs(first))} ms, the others ${Math.round(times[20] ?? 0)} ms`);
  const { ok = 0, audit_unavailable: unrecorded = 0, ...other } = tally([first, ...records]);
  assert.deepEqual(other, {});
  // What is not recorded within half a second is refused, and this way takes nearly as long when records meet on it.
  t.diagnostic(`${ok} ok, ${unrecorded} not recorded in time`);
  assert.ok(ok >= 30, `${ok} of 41`);
  assert.ok((times[0] ?? 0) > 800, 'offer and accepted, go and result cross it');
  await assertPromisesKept(rig, 2_000);
});

test('bus link - when nothing passes any more calls are answered, and what was refused never runs when it heals', async (t) => {
  verifies('bus:half-open');
  await using rig = await openRigOn(await startLinkedBroker(), { workers: 2, timeoutMs: 30_000 });
  const held = Array.from({ length: 4 }, () => rig.holdCall());
  await until('all of them run', () => rig.journal().filter(({ what }) => what === 'start').length === 4);
  const blockedAt = performance.now();
  rig.broker.block();
  for (const { release } of held) release();
  const [lost, refused] = await Promise.all([
    Promise.all(held.map(({ record }) => record)),
    load(rig, { agents: 4, calls: 12 }),
  ]);
  const lastAfterMs = Math.max(...lost.map(({ endedAt }) => endedAt - blockedAt));
  t.diagnostic(`in flight: ${JSON.stringify(tally(lost))}, the last after ${Math.round(lastAfterMs)} ms`);
  t.diagnostic(
    `new ones: ${JSON.stringify(tally(refused))}, the slowest ${Math.round(Math.max(...refused.map(tookMs)))} ms`,
  );
  assert.deepEqual(tally(lost), { upstream_lost: 4 });
  assert.ok(lastAfterMs < 10_000);
  for (const { executed, reason } of refused) {
    assert.equal(executed, 'no');
    assert.ok(reason === 'audit_unavailable' || reason === 'broker_unavailable', reason);
  }
  await delay(1_000);
  const healedAt = performance.now();
  rig.broker.heal();
  await healed(rig, 30_000);
  t.diagnostic(`calls again ${Math.round(performance.now() - healedAt)} ms after it healed`);
  await assertPromisesKept(rig);
});
