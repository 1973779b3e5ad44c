import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSamples, median, percentile, rotated, spread } from './statistics.ts';

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

test('spread - is the range over the median', () => {
  assert.equal(spread([8, 10, 12]), 0.4);
  assert.equal(spread([10]), 0);
  assert.equal(spread([0, 0]), 0);
});

test('rotated - every item comes first once', () => {
  const rounds = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''));
  assert.deepEqual(rounds, ['abc', 'bca', 'cab', 'abc']);
  assert.deepEqual(rotated([], 5), []);
});

test('samples - keep every value beyond their first capacity', () => {
  const samples = createSamples();
  for (let value = 10_000; value >= 1; value--) samples.add(value);
  assert.equal(samples.count, 10_000);
  assert.deepEqual(samples.summary(), { p50: 5000, p90: 9000, p99: 9900, max: 10_000 });
  samples.add(20_000);
  assert.equal(samples.summary().max, 20_000);
});

test('samples - none gives NaN, not zero', () => {
  assert.ok(Number.isNaN(createSamples().summary().p99));
});
