import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, load } from '../chaos/settle.ts';

test('worker stop - SIGTERM under load fails no call while another worker lives', async () => {
  await using rig = await openRig({ workers: 2 });
  let over = false;
  const running = load(rig, { agents: 12, delayMs: 60, over: () => over });
  for (let round = 0; round < 2; round += 1) {
    await delay(600);
    const victim = rig.workers[round];
    assert.ok(victim);
    victim.signal('SIGTERM');
    assert.deepEqual(await victim.exited, { code: 0, signal: null });
    if (round === 0) await rig.addWorker();
  }
  await delay(300);
  over = true;
  const records = await running;
  assert.deepEqual(tally(records), { ok: records.length });
  await assertPromisesKept(rig, 0);
});
