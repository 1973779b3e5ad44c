import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTokenBucket } from './token-bucket.ts';

const hundred = { perSecond: 100, burst: 20 };

/** Takes as much as there is. */
function drain(bucket: ReturnType<typeof createTokenBucket>, now: number): number {
  let taken = 0;
  for (; bucket.waitMs(now) === 0; taken += 1) bucket.take(now, 1);
  return taken;
}

test('token bucket - holds its burst, refills at its rate and says exactly when', () => {
  const bucket = createTokenBucket(hundred, 0);
  assert.equal(drain(bucket, 0), 20);
  assert.equal(bucket.waitMs(0), 10);
  assert.equal(bucket.waitMs(9), 1);
  assert.equal(bucket.waitMs(10), 0);
  assert.equal(drain(bucket, 100), 10);
  assert.equal(drain(bucket, 60_000), 20);
});

test('token bucket - never gives more than its burst and its rate, however it is asked', () => {
  const rate = fc.record({
    perSecond: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
    burst: fc.integer({ min: 1, max: 500 }),
  });
  fc.assert(
    fc.property(rate, fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }), (given, pauses) => {
      const bucket = createTokenBucket(given, 0);
      let now = 0;
      let taken = drain(bucket, now);
      for (const pause of pauses) {
        now += pause;
        taken += drain(bucket, now);
      }
      assert.ok(taken <= given.burst + (given.perSecond * now) / 1000 + 1e-6);
    }),
  );
});

test('token bucket - what others spent is a debt that the refill pays, and a boundless one is forgiven', () => {
  const bucket = createTokenBucket(hundred, 0);
  bucket.take(0, 30);
  assert.equal(bucket.waitMs(0), 110);
  bucket.take(0, 1e9);
  assert.equal(bucket.level(0), -200);
});

test('token bucket - another rate keeps what was spent', () => {
  const bucket = createTokenBucket(hundred, 0);
  bucket.take(0, 15);
  bucket.setRate(0, { perSecond: 10, burst: 40 }, 1);
  assert.equal(bucket.level(0), 25);
  bucket.setRate(0, { perSecond: 10, burst: 8 }, 1);
  assert.equal(bucket.level(0), 5);
});

test('token bucket - a part of it is as full as the whole, and so is the whole again', () => {
  const bucket = createTokenBucket({ perSecond: 90, burst: 30 }, 0);
  bucket.take(0, 15);
  bucket.setRate(0, { perSecond: 90, burst: 30 }, 3);
  assert.equal(bucket.level(0), 5);
  assert.equal(bucket.level(1_000), 10);
  drain(bucket, 1_000);
  bucket.setRate(1_000, { perSecond: 90, burst: 30 }, 1);
  assert.equal(bucket.level(1_000), 0);
});

test('token bucket - a newcomer takes the lowest level that it is told', () => {
  const bucket = createTokenBucket(hundred, 0);
  bucket.atLeastMissing(0, 18);
  bucket.atLeastMissing(0, 3);
  assert.equal(bucket.level(0), 2);
});
