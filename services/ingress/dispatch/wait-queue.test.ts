import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWaitQueue } from './wait-queue.ts';

function queueOf(capacity = 100, perAgent = capacity) {
  const onTheirWay = new Map<string, number>();
  const pushedOut: string[] = [];
  const queue = createWaitQueue<string>({
    capacity,
    perAgent,
    inFlight: (agent) => onTheirWay.get(agent) ?? 0,
    onPushedOut: (item) => void pushedOut.push(item),
  });
  return { queue, onTheirWay, pushedOut };
}

test('wait queue - agents take turns whatever the length of their lines', () => {
  const { queue } = queueOf();
  for (let n = 0; n < 5; n += 1) queue.push('busy', `busy ${n}`);
  queue.push('calm', 'calm 0');
  queue.push('other', 'other 0');
  assert.deepEqual(
    Array.from({ length: 7 }, () => queue.next()),
    ['busy 0', 'calm 0', 'other 0', 'busy 1', 'busy 2', 'busy 3', 'busy 4'],
  );
  assert.equal(queue.next(), undefined);
});

test('wait queue - who has fewer calls on their way is next', () => {
  const { queue, onTheirWay } = queueOf();
  onTheirWay.set('busy', 3).set('calm', 1);
  for (let n = 0; n < 2; n += 1) for (const agent of ['busy', 'calm', 'idle']) queue.push(agent, `${agent} ${n}`);
  const order: (string | undefined)[] = [];
  for (let turn = 0; turn < 6; turn += 1) {
    const item = queue.next();
    order.push(item);
    const agent = item?.split(' ')[0] ?? '';
    onTheirWay.set(agent, (onTheirWay.get(agent) ?? 0) + 1);
  }
  assert.deepEqual(order, ['idle 0', 'calm 0', 'idle 1', 'calm 1', 'busy 0', 'busy 1']);
});

test('wait queue - refuses above its capacity and has room again after next or remove', () => {
  const { queue } = queueOf(2);
  assert.ok(queue.push('a', '1'));
  assert.ok(queue.push('a', '2'));
  assert.equal(queue.push('a', '3'), false);
  assert.ok(queue.remove('a', '1'));
  assert.equal(queue.remove('a', '1'), false);
  assert.ok(queue.push('b', '3'));
  assert.equal(queue.size, 2);
});

test('wait queue - one agent may fill its part, and a full queue takes from the longest line', () => {
  const { queue, pushedOut } = queueOf(6, 4);
  const taken = Array.from({ length: 6 }, (_, n) => queue.push('greedy', `g${n}`));
  assert.deepEqual(taken, [true, true, true, true, false, false]);
  assert.ok(queue.push('b', 'b0') && queue.push('b', 'b1'));
  assert.ok(queue.push('c', 'c0'));
  assert.deepEqual(pushedOut, ['g3']);
  assert.ok(queue.push('c', 'c1'));
  assert.deepEqual(pushedOut, ['g3', 'g2']);
  assert.equal(queue.push('greedy', 'g9'), false, 'all have the same now');
  assert.equal(queue.size, 6);
});

test('wait queue - what is put back has the next turn', () => {
  const { queue } = queueOf();
  queue.push('a', 'a1');
  queue.push('a', 'a2');
  queue.push('b', 'b1');
  const first = queue.next();
  assert.equal(first, 'a1');
  queue.putBack('a', 'a1');
  assert.deepEqual([queue.next(), queue.next(), queue.next()], ['a1', 'b1', 'a2']);
});
