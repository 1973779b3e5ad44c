import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load } from '../chaos/settle.ts';
import { verifies } from '../requirements.ts';

test('frozen worker - calls are routed round it, and what was refused never runs when it thaws', async (t) => {
  verifies('bus:no-double-execution');
  await using rig = await openRig({ workers: 2 });
  const [victim] = rig.workers;
  assert.ok(victim);
  let frozenAt = 0;
  let thawed = false;
  const running = load(rig, { agents: 6, over: () => thawed });
  await delay(500);
  victim.signal('SIGSTOP');
  frozenAt = performance.now();
  await delay(7_500);
  victim.signal('SIGCONT');
  await delay(500);
  thawed = true;
  const records = await running;
  // Long enough for its heartbeat to end: from then on it is not even tried.
  const later = records.filter(({ startedAt }) => startedAt > frozenAt + 5_000);
  t.diagnostic(JSON.stringify({ all: tally(records), later: tally(later) }));
  assert.ok(later.length > 20);
  assert.deepEqual(tally(later), { ok: later.length });
  const failed = records.filter(({ outcome }) => outcome !== 'ok');
  assert.ok(failed.length <= 8, `only what it ran when it froze is lost, not ${failed.length}`);
  for (const record of failed) assert.equal(record.reason, 'upstream_lost');
  await healed(rig);
  await assertPromisesKept(rig);
});

test('frozen worker - an only worker that thaws runs nothing that was answered not executed', async (t) => {
  await using rig = await openRig({ workers: 1, timeoutMs: 3_000 });
  rig.workers[0]?.signal('SIGSTOP');
  const records = await load(rig, { agents: 5, calls: 15 });
  rig.workers[0]?.signal('SIGCONT');
  t.diagnostic(JSON.stringify(tally(records)));
  for (const { executed } of records) assert.equal(executed, 'no');
  await healed(rig);
  await assertPromisesKept(rig);
});
