import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../shared/errors.ts';
import type { BreakerState } from '../../shared/mcp/manifest.ts';
import { createBreaker } from './breaker.ts';

const config = { errorPercent: 50, minCalls: 4, windowMs: 10_000, resetMs: 100 };
const lost = () => Promise.reject(new GatewayError('upstream_lost', 'gone'));
const refused = () => Promise.reject(new GatewayError('overloaded', 'full'));
const fine = () => Promise.resolve('ok');

function open(t: { after(fn: () => void): void }) {
  const states: BreakerState[] = [];
  const breaker = createBreaker(config, (state) => states.push(state));
  t.after(() => breaker.close());
  return { breaker, states };
}

test('breaker - stays closed below minCalls and opens at errorPercent', async (t) => {
  const { breaker, states } = open(t);
  for (let n = 0; n < 3; n += 1) await assert.rejects(breaker.run(lost));
  assert.equal(breaker.state, 'closed');
  for (let n = 0; n < 2; n += 1) await assert.rejects(breaker.run(lost));
  assert.equal(breaker.state, 'open');
  assert.deepEqual(states, ['open']);
  assert.ok(breaker.retryAfterMs > 0);
});

test('breaker - open refuses without running the action', async (t) => {
  const { breaker } = open(t);
  for (let n = 0; n < 5; n += 1) await assert.rejects(breaker.run(lost));
  let ran = false;
  await assert.rejects(
    breaker.run(async () => {
      ran = true;
    }),
    (error) => error instanceof GatewayError && error.reason === 'circuit_open' && error.executed === 'no',
  );
  assert.equal(ran, false);
});

test('breaker - half-open lets one probe through, closes on success and opens again on failure', async (t) => {
  const { breaker, states } = open(t);
  for (let n = 0; n < 5; n += 1) await assert.rejects(breaker.run(lost));
  await sleep(150);
  assert.equal(breaker.state, 'half_open');
  await assert.rejects(breaker.run(lost));
  assert.equal(breaker.state, 'open');
  await sleep(150);
  assert.equal(await breaker.run(fine), 'ok');
  assert.equal(breaker.state, 'closed');
  assert.deepEqual(states, ['open', 'half_open', 'open', 'half_open', 'closed']);
});

test('breaker - a probe that was cancelled opens it again', async (t) => {
  const { breaker } = open(t);
  for (let n = 0; n < 5; n += 1) await assert.rejects(breaker.run(lost));
  await sleep(150);
  await assert.rejects(breaker.run(() => Promise.reject(new Error('the agent left'))));
  assert.equal(breaker.state, 'open');
});

test('breaker - refusals of our own do not count', async (t) => {
  const { breaker } = open(t);
  for (let n = 0; n < 20; n += 1) await assert.rejects(breaker.run(refused));
  assert.equal(breaker.state, 'closed');
});

test('breaker - a slow call does not disturb its neighbours', async (t) => {
  const { breaker } = open(t);
  const slow = breaker.run(async () => {
    await sleep(200);
    return 'slow';
  });
  for (let n = 0; n < 3; n += 1) await assert.rejects(breaker.run(lost));
  assert.equal(await slow, 'slow');
});

test('breaker - while a probe runs, other calls are refused as circuit_open and not as lost', async (t) => {
  const { breaker } = open(t);
  for (let n = 0; n < 5; n += 1) await assert.rejects(breaker.run(lost));
  await sleep(150);
  let finish = (_: string) => {};
  const probe = breaker.run(
    () =>
      new Promise<string>((resolve) => {
        finish = resolve;
      }),
  );
  await assert.rejects(
    breaker.run(fine),
    (error) => error instanceof GatewayError && error.reason === 'circuit_open' && error.executed === 'no',
  );
  finish('ok');
  assert.equal(await probe, 'ok');
});
