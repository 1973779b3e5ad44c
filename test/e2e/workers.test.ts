import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { fixtureCommand } from '../helpers/fixture.ts';
import { startNats } from '../helpers/nats.ts';
import { assertGone, descendantsOf } from '../helpers/processes.ts';
import { callTool, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startIngress, startWorker } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const secret = 'workers-workers-workers-workers-workers';

/** Who answered: `NAME by PID`. */
const pidOf = (answer: RpcAnswer): string => textOf(answer).split(' by ')[1] ?? '';

test('workers - two processes of one server share the load', async () => {
  verifies('bus:workers-share-load');
  const scripted = { ...fixtureCommand('scripted-upstream', ['--stdio']), concurrency: 2 };
  await using nats = await startNats();
  const config = { servers: { scripted }, cluster: { secret } };
  await using ingress = await startIngress(nats.url, { config });
  await using _first = await startWorker('scripted', nats.url, { config });
  await using _second = await startWorker('scripted', nats.url, { config });
  const { mcp, key } = ingress.ready;
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, index) => callTool(mcp, 'scripted__run', { id: `c${index}`, delayMs: 50 }, { key })),
  );
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(pidOf(answer), (counts.get(pidOf(answer)) ?? 0) + 1);
  assert.equal(counts.size, 2, `answers came from ${[...counts.keys()].join(', ')}`);
  for (const [pid, count] of counts) assert.ok(count >= 6, `${pid} answered ${count} of 24`);
});

test('workers - killing one under load loses no call that had not started', async () => {
  verifies('bus:worker-killed', 'bus:no-double-execution', 'error:upstream-lost');
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-workers-'));
  const journal = join(dir, 'journal');
  try {
    const stdio = fixtureCommand('scripted-upstream', ['--stdio']);
    const scripted = { ...stdio, env: { JOURNAL: journal }, concurrency: 4 };
    await using nats = await startNats();
    const config = { servers: { scripted }, cluster: { secret } };
    await using ingress = await startIngress(nats.url, { config });
    await using _survivor = await startWorker('scripted', nats.url, { config });
    const victim = await startWorker('scripted', nats.url, { config });
    const below = descendantsOf(victim.pid);
    const { mcp, key } = ingress.ready;

    const outcomes = new Map<string, RpcAnswer>();
    let killedAt = 0;
    let slowest = 0;
    const agent = async (name: string): Promise<void> => {
      for (let count = 0; count < 25; count += 1) {
        const id = `${name}-${count}`;
        outcomes.set(id, await callTool(mcp, 'scripted__run', { id, delayMs: 40 }, { key }));
        if (outcomes.get(id)?.response?.error) slowest = Math.max(slowest, Date.now() - killedAt);
      }
    };
    const load = Promise.all(Array.from({ length: 12 }, (_, index) => agent(`agent${index}`)));
    await until('the load runs', () => outcomes.size > 50);
    killedAt = Date.now();
    victim.signal('SIGKILL');
    await load;
    await assertGone(below, 2000);

    const entries = readJournal(journal);
    const started = (id: string): number => entries.filter((entry) => entry.id === id && entry.what === 'start').length;
    assert.equal(outcomes.size, 300);
    for (const [id, { response }] of outcomes) {
      assert.ok(started(id) <= 1, `${id} ran ${started(id)} times`);
      if (!response?.error) continue;
      assert.equal(response.error.data?.['reason'], 'upstream_lost', `${id}: ${JSON.stringify(response.error)}`);
    }
    const lost = [...outcomes.values()].filter(({ response }) => response?.error).length;
    assert.ok(lost <= 4, `at most what the victim had in flight is lost, not ${lost}`);
    assert.ok(slowest < 3500, `the lost calls were answered within 3.5 s, not ${slowest} ms`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
