import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('agent leaves - closing the connection cancels the call at the upstream and frees its slot', async () => {
  verifies('call:cancel');
  await using rig = await openRig({ workers: 1, concurrency: 2, timeoutMs: 20_000 });
  const leaving = new AbortController();
  const calls = [0, 1].map(() => rig.call({ delayMs: 15_000 }, { signal: leaving.signal }));
  // Waits for a slot: it must leave the queue too.
  const started = (): number => rig.journal().filter(({ what }) => what === 'start').length;
  await until('two run', () => started() === 2);
  const waiting = rig.call({}, { signal: leaving.signal });
  leaving.abort();
  for (const record of await Promise.all([...calls, waiting])) assert.equal(record.outcome, 'cancelled');
  await until(
    'the upstream is told',
    () => rig.journal().filter(({ what }) => what === 'cancelled').length === 2,
    2_000,
  );
  assert.equal((await rig.call()).outcome, 'ok');
  assert.equal(started(), 3, 'the call that waited never began');
  await assertPromisesKept(rig, 0);
});
