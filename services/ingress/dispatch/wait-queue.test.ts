import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWaitQueue } from './wait-queue.ts';

test('wait queue - agents take turns whatever the length of their lines', () => {
  const queue = createWaitQueue<string>(100);
  for (let n = 0; n < 5; n += 1) queue.push('busy', `busy ${n}`);
  queue.push('calm', 'calm 0');
  queue.push('other', 'other 0');
  assert.deepEqual(
    Array.from({ length: 7 }, () => queue.next()),
    ['busy 0', 'calm 0', 'other 0', 'busy 1', 'busy 2', 'busy 3', 'busy 4'],
  );
  assert.equal(queue.next(), undefined);
});

test('wait queue - refuses above its capacity and has room again after next or remove', () => {
  const queue = createWaitQueue<string>(2);
  assert.ok(queue.push('a', '1'));
  assert.ok(queue.push('a', '2'));
  assert.equal(queue.push('b', '3'), false);
  assert.ok(queue.remove('a', '1'));
  assert.equal(queue.remove('a', '1'), false);
  assert.ok(queue.push('b', '3'));
  assert.equal(queue.size, 2);
});

test('wait queue - what is put back has the next turn', () => {
  const queue = createWaitQueue<string>(10);
  queue.push('a', 'a1');
  queue.push('a', 'a2');
  queue.push('b', 'b1');
  const first = queue.next();
  assert.equal(first, 'a1');
  queue.putBack('a', 'a1');
  assert.deepEqual([queue.next(), queue.next(), queue.next()], ['a1', 'b1', 'a2']);
});
