import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, healed, load } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const pidsOf = (journal: ReadonlyArray<{ readonly pid: number }>) => [...new Set(journal.map(({ pid }) => pid))];

test('upstream child - SIGKILL answers its calls upstream_lost at once, and it is started again', async (t) => {
  verifies('error:upstream-lost', 'upstream:stdio');
  await using rig = await openRig({ workers: 1, timeoutMs: 20_000 });
  const inFlight = Array.from({ length: 5 }, () => rig.call({ delayMs: 10_000 }));
  await until('all of them run', () => rig.journal().length >= 5);
  const [child] = pidsOf(rig.journal());
  assert.ok(child);
  const killedAt = performance.now();
  process.kill(child, 'SIGKILL');
  const lost = await Promise.all(inFlight);
  assert.deepEqual(tally(lost), { upstream_lost: 5 });
  const slowest = Math.max(...lost.map(({ endedAt }) => endedAt - killedAt));
  assert.ok(slowest < 1_000, `answered ${slowest} ms after the kill`);
  await healed(rig);
  t.diagnostic(
    `lost after ${Math.round(slowest)} ms, calls again after ${Math.round(performance.now() - killedAt)} ms`,
  );
  await assertPromisesKept(rig, 0);
});

test('upstream child - one that dies before or after its effect, or writes garbage, breaks no promise', async (t) => {
  await using rig = await openRig({ workers: 2 });
  const programs = [{ die: 'before' }, { garbage: true }, { die: 'after' }, { progress: 5 }, {}] as const;
  for (const program of programs) {
    const [{ outcome, reason }] = await Promise.all([rig.call(program), load(rig, { agents: 4, calls: 8 })]);
    if ('die' in program) assert.equal(reason, 'upstream_lost');
    else assert.ok(outcome === 'ok' || reason === 'upstream_lost' || reason === 'no_worker', `${outcome} ${reason}`);
    await healed(rig);
  }
  t.diagnostic(JSON.stringify(tally(rig.records)));
  await assertPromisesKept(rig, 1_000);
});

test('upstream child - a frozen one is answered upstream_timeout at the deadline', async () => {
  verifies('error:upstream-timeout');
  await using rig = await openRig({ workers: 1, timeoutMs: 1_500 });
  await rig.call();
  const [child] = pidsOf(rig.journal());
  assert.ok(child);
  process.kill(child, 'SIGSTOP');
  const records = await Promise.all([rig.call(), rig.call()]);
  process.kill(child, 'SIGCONT');
  assert.deepEqual(tally(records), { upstream_timeout: 2 });
  await healed(rig);
  await assertPromisesKept(rig, 1_000);
});
