import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../../test/helpers/until.ts';
import { verifies } from '../../../test/requirements.ts';
import type { Connection } from './connection.ts';
import { createLateTasks } from './late-tasks.ts';
import { limits } from './limits.ts';
import { Peer } from './peer.ts';
import { taskIn } from './task-runner.ts';

/** A peer over a connection that carries nothing, with `count` requests under way, and the ids that it let go of. */
function peerWith(count: number) {
  const dropped: number[] = [];
  const connection: Connection = {
    send() {},
    drop: (id) => void dropped.push(id),
    established() {},
    async close() {},
  };
  const peer = new Peer(() => {});
  peer.attach(connection);
  const ids = Array.from({ length: count }, () => {
    const id = peer.mintId();
    peer.send(id, 'tools/call', {}, { onAnswer: () => assert.fail(), onLost: () => assert.fail() });
    return id;
  });
  return { peer, ids, dropped };
}

const answer = (id: number, result: object) => ({ jsonrpc: '2.0' as const, id, result: { ...result } });
const task = { resultType: 'task', taskId: 't' };

test('late tasks - an answer is read once, and only a task is cancelled', () => {
  verifies('tasks:abandoned');
  const { peer, ids, dropped } = peerWith(3);
  const late = createLateTasks(peer, 60_000);
  const cancelled: string[] = [];
  for (const id of ids) late.expect(id, { taskIn, cancel: (taskId) => void cancelled.push(taskId) });
  assert.equal(late.size, 3);
  const [first = 0, second = 0, third = 0] = ids;
  peer.onMessage(answer(first, task), undefined);
  peer.onMessage(answer(first, task), undefined);
  peer.onMessage(answer(second, { content: [] }), undefined);
  peer.onMessage({ jsonrpc: '2.0', id: third, error: { code: -32000, message: 'cancelled' } }, undefined);
  assert.deepEqual(cancelled, ['t']);
  assert.equal(late.size, 0);
  late.expect(first, { taskIn, cancel: () => assert.fail() });
  assert.equal(late.size, 0, 'what has its answer is not waited for');
  assert.deepEqual(dropped, []);
});

test('late tasks - a server that never answers leaves nothing behind', async () => {
  verifies('tasks:abandoned');
  const { peer, ids, dropped } = peerWith(2);
  const late = createLateTasks(peer, 30);
  for (const id of ids) late.expect(id, { taskIn, cancel: () => assert.fail('too late') });
  const held = setInterval(() => {}, 1_000);
  await until('both are forgotten', () => late.size === 0);
  clearInterval(held);
  assert.deepEqual(dropped, ids);
  for (const id of ids) peer.onMessage(answer(id, task), undefined);
  assert.equal(peer.strays, 2);
});

test('late tasks - the oldest is forgotten when there are too many, and all when the connection ends', () => {
  const { peer, ids, dropped } = peerWith(limits.lateTasks + 5);
  const late = createLateTasks(peer, 60_000);
  for (const id of ids) late.expect(id, { taskIn, cancel: () => assert.fail() });
  assert.equal(late.size, limits.lateTasks);
  assert.deepEqual(dropped, ids.slice(0, 5));
  void peer.close();
  assert.equal(late.size, 0);
});
