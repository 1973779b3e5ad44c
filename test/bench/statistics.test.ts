import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSamples, median, percentile, pooled, quartiles, rotated, spread, turnOrder } from './statistics.ts';

test('percentile - is the nearest rank', () => {
  const sorted = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(percentile(sorted, 50), 50);
  assert.equal(percentile(sorted, 99), 99);
  assert.equal(percentile(sorted, 100), 100);
  assert.equal(percentile(sorted, 0), 1);
  assert.equal(percentile([7], 99), 7);
  assert.equal(percentile([1, 2], 50), 1);
});

test('percentile - of nothing is NaN', () => {
  assert.ok(Number.isNaN(percentile([], 50)));
  assert.ok(Number.isNaN(median([])));
});

test('percentile - at least that share of the samples is not above it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, min: 0, max: 1e6 }), { minLength: 1 }),
      fc.double({ noNaN: true, min: 1, max: 100 }),
      (values, percent) => {
        const sorted = [...values].sort((a, b) => a - b);
        const value = percentile(sorted, percent);
        const below = sorted.filter((other) => other <= value).length;
        assert.ok(sorted.includes(value));
        assert.ok(below / sorted.length >= percent / 100 - 1e-9);
      },
    ),
  );
});

test('median - of an odd and of an even count, whatever the order', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});

test('quartiles - are the medians of the halves, the middle value in both', () => {
  assert.deepEqual(quartiles([4, 1, 3, 2]), { low: 1.5, median: 2.5, high: 3.5 });
  assert.deepEqual(quartiles([5, 1, 4, 2, 3]), { low: 2, median: 3, high: 4 });
  assert.deepEqual(quartiles([7]), { low: 7, median: 7, high: 7 });
  assert.ok(Number.isNaN(quartiles([]).low));
});

test('spread - is the middle half over the median: one wild window does not change it', () => {
  assert.equal(spread([8, 10, 12]), 0.2);
  assert.equal(spread([8, 9, 10, 11, 1e9]), 0.2);
  assert.equal(spread([10]), 0);
  assert.equal(spread([0, 0]), 0);
});

test('rotated - every item comes first once', () => {
  const rounds = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''));
  assert.deepEqual(rounds, ['abc', 'bca', 'cab', 'abc']);
  assert.deepEqual(rotated([], 5), []);
});

test('turn order - in twice as many turns as items each has every place twice, and comes before each other one as often as after', () => {
  const items = ['a', 'b', 'c', 'd', 'e'];
  const turns = Array.from({ length: 2 * items.length }, (_, turn) => turnOrder(items, turn));
  for (const item of items) {
    const places = turns.map((order) => order.indexOf(item)).sort();
    assert.deepEqual(places, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    for (const other of items.filter((each) => each !== item)) {
      const before = turns.filter((order) => order.indexOf(item) < order.indexOf(other)).length;
      assert.equal(before, items.length, `${item} before ${other}`);
    }
  }
  assert.deepEqual(items, ['a', 'b', 'c', 'd', 'e']);
});

test('samples - keep every value beyond their first capacity', () => {
  const samples = createSamples();
  for (let value = 10_000; value >= 1; value--) samples.add(value);
  const first = samples.values();
  assert.equal(first.length, 10_000);
  assert.equal(first[0], 10_000);
  samples.add(20_000);
  assert.equal(samples.values()[10_000], 20_000);
  assert.equal(first.length, 10_000);
});

test('pooled - the p99 of windows in one is not the median of their p99s', () => {
  const quiet = new Float64Array(100).fill(1);
  const stalled = Float64Array.from({ length: 100 }, (_, index) => (index < 10 ? 50 : 1));
  const all = pooled([quiet, stalled, quiet]);
  assert.equal(all.length, 300);
  assert.deepEqual(
    [...all],
    [...all].sort((a, b) => a - b),
  );
  assert.equal(percentile(all, 99), 50);
  assert.equal(stalled[0], 50);
  assert.equal(pooled([]).length, 0);
});
