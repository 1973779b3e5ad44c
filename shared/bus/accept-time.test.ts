import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAcceptTime } from './accept-time.ts';
import { busLimits } from './limits.ts';

test('accept time - is the shortest one as long as workers answer at once', () => {
  const time = createAcceptTime();
  assert.equal(time.ms, busLimits.acceptMs);
  for (let count = 0; count < 100; count += 1) time.seen(2);
  assert.equal(time.ms, busLimits.acceptMs);
});

test('accept time - one answer that came too late makes room for the next, also after many quick ones', () => {
  const time = createAcceptTime();
  for (let count = 0; count < 100; count += 1) time.seen(1);
  time.seen(400);
  assert.ok(time.ms > 400, `${time.ms}`);
});

test('accept time - settles somewhat above a steady long way, and comes back from it', () => {
  const time = createAcceptTime();
  for (let count = 0; count < 100; count += 1) time.seen(400);
  assert.ok(time.ms > 399 && time.ms < 500, `${time.ms}`);
  for (let count = 0; count < 100; count += 1) time.seen(1);
  assert.equal(time.ms, busLimits.acceptMs);
});

test('accept time - has an end, and learns nothing from a worker that stood still', () => {
  const time = createAcceptTime();
  for (let count = 0; count < 10; count += 1) time.seen(60_000);
  assert.equal(time.ms, busLimits.acceptMs);
  for (let count = 0; count < 3; count += 1) time.seen(1_800);
  assert.equal(time.ms, busLimits.mostAcceptMs);
});
