import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPromisedSlots } from './promised-slots.ts';

test('promised slots - are kept from all others, for a while and until they are taken', () => {
  let now = 0;
  const slots = createPromisedSlots(() => now);
  slots.promise('a');
  slots.promise('b');
  assert.deepEqual([slots.keptFrom('a'), slots.keptFrom('b'), slots.keptFrom('c')], [1, 1, 2]);
  slots.taken('a');
  slots.taken('c');
  assert.deepEqual([slots.keptFrom('a'), slots.keptFrom('b')], [1, 0]);
  assert.equal(slots.expire(), false);
  now = 51;
  assert.equal(slots.keptFrom('a'), 0);
  assert.equal(slots.expire(), true);
  assert.equal(slots.expire(), false);
});
