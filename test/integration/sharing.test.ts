import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tally } from '../chaos/oracle.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, tookMs } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('sharing - two workers share the load, and an agent with 200 waiting calls does not starve another', async (t) => {
  verifies('bus:workers-share-load');
  await using rig = await openRig({ workers: 2, concurrency: 4, timeoutMs: 30_000, agents: ['greedy', 'modest'] });
  const greedy = Array.from({ length: 200 }, () => rig.call({ delayMs: 60 }, { agent: 'greedy' }));
  // The test's own 200 requests have to reach the gateway first.
  await until('they wait', async () => {
    const page = await (await fetch(`${rig.ingress.ready.admin}/metrics`)).text();
    return Number(/^toolbus_waiting\{[^}]*\} (\d+)/m.exec(page)?.[1]) > 60;
  });
  const modest = [];
  for (let count = 0; count < 5; count += 1) modest.push(await rig.call({ delayMs: 60 }, { agent: 'modest' }));
  const others = await Promise.all(greedy);
  assert.deepEqual(tally([...others, ...modest]), { ok: 205 });

  const byWorker = new Map<string, number>();
  for (const { text } of others) {
    const pid = text.replace(/^.* by /, '');
    byWorker.set(pid, (byWorker.get(pid) ?? 0) + 1);
  }
  t.diagnostic(`calls by worker: ${[...byWorker.values()].join(', ')}`);
  assert.equal(byWorker.size, 2);
  for (const count of byWorker.values()) assert.ok(count >= 40, `one worker got ${count} of 200`);

  const slowestModest = Math.max(...modest.map(tookMs));
  const slowestGreedy = Math.max(...others.map(tookMs));
  t.diagnostic(`slowest: modest ${Math.round(slowestModest)} ms, greedy ${Math.round(slowestGreedy)} ms`);
  assert.ok(slowestModest < slowestGreedy / 2, 'the modest agent waits for a turn, not for the queue');
  await assertPromisesKept(rig, 0);
});
