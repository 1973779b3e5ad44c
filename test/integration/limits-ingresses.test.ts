import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Core } from '../../services/ingress/core.ts';
import { configSchema } from '../../shared/config/schema.ts';
import { type Asked, ask as askAs, startCores } from '../helpers/cores.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const ask = (core: Core, asked: Partial<Asked> = {}) => askAs(core, { agent: 'ann', ...asked });

function tallyOf(outcomes: readonly string[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const outcome of outcomes) tally[outcome] = (tally[outcome] ?? 0) + 1;
  return tally;
}

test('limits of ingresses - three of them run as many calls of a server as one would', async (t) => {
  verifies('limits:shared');
  await using rig = await startCores(3, { agents: { ann: {} }, server: { limits: { rate: '60/s', burst: 90 } } });
  // The first call of each ingress compiles the tool's schema.
  for (const core of rig.cores) assert.equal(await ask(core), 'ok');
  await delay(500);
  const startedAt = performance.now();
  const outcomes: Promise<string>[] = [];
  // Three times the rate, made up for where this process was held up.
  for (let offered = 0, elapsedMs = 0; elapsedMs < 5_000; elapsedMs = performance.now() - startedAt) {
    for (; offered < (elapsedMs * 180) / 1000; offered += 1) {
      const core = rig.cores[offered % 3];
      if (core) outcomes.push(ask(core));
    }
    await delay(5);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const tally = tallyOf(await Promise.all(outcomes));
  const wanted = 90 + 60 * seconds;
  t.diagnostic(`${JSON.stringify(tally)}, expected ${Math.round(wanted)}`);
  assert.deepEqual(Object.keys(tally).sort(), ['ok', 'rate_limited']);
  const ok = tally['ok'] ?? 0;
  assert.ok(ok >= wanted * 0.9 && ok <= wanted * 1.1, `${ok} for ${wanted}`);
});

test('limits of ingresses - nothing leaks, however calls end', async () => {
  verifies('limits:no-leak');
  await using rig = await startCores(1, {
    server: { limits: { concurrency: 4 }, timeoutMs: 1_500 },
    agents: { ann: { limits: { concurrency: 4 } }, bob: {} },
    limits: { concurrency: 6 },
  });
  const gone = new AbortController();
  const ends = [
    ask(rig.first),
    ask(rig.first, { delayMs: 5_000, signal: gone.signal }),
    ask(rig.first, { delayMs: 5_000 }),
    ask(rig.first, { tool: 'scripted__no_such_tool' }),
    ask(rig.first, { agent: 'bob', method: 'prompts/get', tool: 'nothing' }),
  ];
  await delay(100);
  gone.abort(new Error('gone'));
  assert.deepEqual(await Promise.all(ends), ['ok', 'cancelled', 'upstream_timeout', '-32602', '-32602']);
  await until('all is given back', () => [...rig.first.limits.states()].every(({ inFlight }) => inFlight === 0));
  const four = await Promise.all(Array.from({ length: 5 }, () => ask(rig.first, { delayMs: 100 })));
  assert.deepEqual(tallyOf(four), { ok: 4, rate_limited: 1 });
});

test('limits of ingresses - unknown names count, lists do not, and a changed limit applies at once', async () => {
  verifies('limits:reload');
  await using rig = await startCores(1, { agents: { ann: { limits: { rate: '1/m', burst: 5 } }, bob: {} } });
  const unknown = await Promise.all(Array.from({ length: 8 }, () => ask(rig.first, { tool: 'guess' })));
  assert.deepEqual(tallyOf(unknown), { '-32602': 5, rate_limited: 3 });
  assert.equal(await ask(rig.first, { method: 'tools/list' }), 'ok');
  assert.equal(await ask(rig.first, { agent: 'bob' }), 'ok');
  const before = rig.config();
  rig.setConfig(
    configSchema.parse({
      ...before,
      agents: { ...before.agents, ann: { allow: ['*'], limits: { rate: '1/m', burst: 7 } } },
    }),
  );
  const more = await Promise.all(Array.from({ length: 4 }, () => ask(rig.first)));
  assert.deepEqual(tallyOf(more), { ok: 2, rate_limited: 2 });
});
