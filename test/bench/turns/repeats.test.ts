import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowance, createRepeats, stolenLimit } from './repeats.ts';

/** Measures windows with these shares stolen, one after the other. */
function windowsWith(shares: readonly number[]) {
  const left = [...shares];
  return async () => ({ stolen: left.shift() ?? Number.NaN });
}

test('repeats - a window that was left alone is measured once', async () => {
  const repeats = createRepeats();
  const best = await repeats.leastDisturbed(windowsWith([stolenLimit, 0]), allowance(1));
  assert.equal(best.stolen, stolenLimit);
  assert.deepEqual(repeats.count(), { windows: 1, repeated: 0, disturbed: 0 });
});

test('repeats - a disturbed window is measured again until one is not', async () => {
  const repeats = createRepeats();
  const best = await repeats.leastDisturbed(windowsWith([0.5, 0.3, 0.01]), allowance(9));
  assert.equal(best.stolen, 0.01);
  assert.deepEqual(repeats.count(), { windows: 1, repeated: 2, disturbed: 0 });
});

test('repeats - when all attempts are disturbed, the least disturbed one counts and is told of', async () => {
  const repeats = createRepeats();
  const best = await repeats.leastDisturbed(windowsWith([0.5, 0.3, 0.4, 0]), allowance(9));
  assert.equal(best.stolen, 0.3);
  assert.deepEqual(repeats.count(), { windows: 1, repeated: 2, disturbed: 1 });
});

test('repeats - a step measures at most twice as many windows as it has', async () => {
  const repeats = createRepeats();
  const step = allowance(4);
  let measured = 0;
  for (let window = 0; window < 4; window++) {
    await repeats.leastDisturbed(async () => ({ stolen: 0.5 + measured++ / 100 }), step);
  }
  assert.equal(measured, 8);
  assert.deepEqual(repeats.count(), { windows: 4, repeated: 4, disturbed: 4 });
});
