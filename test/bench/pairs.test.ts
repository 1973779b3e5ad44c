import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paired, ratio } from './pairs.ts';

const over = ([value = 0, base = 0]: readonly number[]) => ratio(value, base);

test('pairs - compare windows of the same turn, so a machine that gets slower changes no ratio', () => {
  const floor = { '1.1': 1000, '1.2': 500, '1.3': 100 };
  const toolbus = { '1.1': 900, '1.2': 450, '1.3': 90 };
  assert.deepEqual(paired([toolbus, floor], over), { low: 0.9, median: 0.9, high: 0.9, pairs: 3 });
});

test('pairs - the median of the ratios is not the ratio of the medians', () => {
  // Each alone has the median 100. In the turns that both saw, toolbus was always half as fast again or slower.
  const toolbus = { '1.1': 50, '1.2': 100, '1.3': 200 };
  const floor = { '1.1': 100, '1.2': 400, '1.3': 100 };
  assert.equal(paired([toolbus, floor], over)?.median, 0.5);
});

test('pairs - a turn that one of them lacks is left out, whatever the order of the others', () => {
  const compared = paired(
    [
      { '1.2': 4, '1.1': 1, '2.1': 9 },
      { '2.1': 3, '1.2': 2, '3.1': 1 },
    ],
    over,
  );
  assert.deepEqual(compared, { low: 2, median: 2.5, high: 3, pairs: 2 });
});

test('pairs - without a common turn there is nothing to compare', () => {
  assert.equal(paired([{ '1.1': 1 }, { '1.2': 1 }], over), undefined);
  assert.equal(paired([{}, {}], over), undefined);
  assert.equal(paired([], over), undefined);
});

test('pairs - the quartiles are those of the pairs', () => {
  const ones = { a: 1, b: 1, c: 1, d: 1, e: 1 };
  const compared = paired([{ a: 5, b: 1, c: 4, d: 2, e: 3 }, ones], over);
  assert.deepEqual(compared, { low: 2, median: 3, high: 4, pairs: 5 });
});

test('ratio - a base that is not positive flatters nobody', () => {
  assert.equal(ratio(3, 2), 1.5);
  assert.equal(ratio(1, 0), Number.POSITIVE_INFINITY);
  assert.equal(ratio(-1, -1), Number.POSITIVE_INFINITY);
});
