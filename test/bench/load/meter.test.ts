import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMeter } from './meter.ts';

test('meter - a call that is never answered is given up and told of', async () => {
  const meter = startMeter({ warmupMs: 1, measureMs: 20 }, 50);
  meter.begin();
  const outcome = await meter.closed;
  assert.equal(meter.running, false);
  assert.match(outcome.firstFault ?? '', /^1 calls were not answered/);
  assert.equal(outcome.wrong, 1);
  assert.equal(outcome.answered, 0);
});

test('meter - a call of the warm-up is answered but not timed', async () => {
  const meter = startMeter({ warmupMs: 50, measureMs: 50 });
  const began = performance.now();
  meter.begin();
  meter.end(began, undefined);
  meter.begin();
  setTimeout(() => meter.end(began, 'wrong'), 60);
  const outcome = await meter.closed;
  assert.equal(outcome.answered, 2);
  assert.equal(outcome.latencies.length, 0);
  assert.equal(outcome.wrong, 1);
  assert.equal(outcome.firstFault, 'wrong');
});
