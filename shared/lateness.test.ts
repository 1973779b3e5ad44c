import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLateness } from './lateness.ts';

test('lateness - is what a look comes later than planned, each counted from the one before', () => {
  const start = performance.now();
  const lateAt = createLateness(50);
  assert.ok(lateAt(start + 1_050) <= 1_000);
  assert.equal(lateAt(start + 1_100), 0);
  assert.equal(lateAt(start + 1_120), 0, 'a look that comes early is not late');
  assert.equal(lateAt(start + 1_200), 30);
});
