import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReplayRetries } from './replay-retries.ts';

test('replay retries - a limit is waited for as long as it says, forty times', () => {
  const retries = createReplayRetries(() => 0);
  assert.equal(retries.pause('a', 'rate_limited', 1, 3_000), 3_000);
  assert.equal(retries.pause('a', 'overloaded', 39, undefined), 250);
  assert.equal(retries.pause('a', 'rate_limited', 40, 3_000), undefined);
});

test('replay retries - a server that takes no calls is waited for once, and again after it took one', () => {
  let now = 0;
  const retries = createReplayRetries(() => now);
  assert.equal(retries.pause('a', 'no_worker', 1, 5_000), 1_000);
  now = 9_999;
  assert.equal(retries.pause('a', 'audit_unavailable', 90, 300), 300);
  now = 10_000;
  assert.equal(retries.pause('a', 'no_worker', 2, 300), undefined);
  assert.equal(retries.pause('a', 'no_worker', 1, 300), undefined, 'nor is it for the next call');
  assert.equal(retries.pause('b', 'no_worker', 1, 300), 300);
  retries.taken('a');
  assert.equal(retries.pause('a', 'no_worker', 1, 300), 300);
});
