import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockEvent } from '../../../shared/bus/blocks.ts';
import { blockText, createBlocks } from './blocks.ts';

const event = (more: Partial<BlockEvent>): BlockEvent => ({
  kind: 'tool',
  name: 'web__open',
  blocked: true,
  by: 'ann@host',
  at: 1,
  ...more,
});

test('blocks - a tool by its own name, and every tool of a blocked server', () => {
  const blocks = createBlocks();
  blocks.apply(event({}));
  assert.equal(blocks.tool('web', 'open')?.name, 'web__open');
  assert.equal(blocks.tool('web', 'close'), undefined);
  blocks.apply(event({ kind: 'server', name: 'web', at: 2 }));
  assert.equal(blocks.tool('web', 'close')?.kind, 'server');
  assert.deepEqual(
    blocks.list().map(({ kind }) => kind),
    ['server', 'tool'],
  );
  blocks.apply(event({ kind: 'server', name: 'web', blocked: false, at: 3 }));
  assert.equal(blocks.server('web'), undefined);
});

test('blocks - listeners hear each turn once, also when NATS tells it again', () => {
  const blocks = createBlocks();
  const heard: BlockEvent[] = [];
  blocks.onChange((turn) => heard.push(turn));
  const turns = [event({}), event({}), event({ blocked: false, at: 2 }), event({ blocked: false, at: 2 })];
  for (const turn of turns) blocks.apply(turn);
  blocks.apply(event({ blocked: true, at: 3, reason: 'again' }));
  assert.deepEqual(
    heard.map(({ at }) => at),
    [1, 2, 3],
  );
  blocks.close();
  blocks.apply(event({ at: 4 }));
  assert.equal(heard.length, 3);
});

test('blocks - names of Object.prototype are names like others', () => {
  const blocks = createBlocks();
  assert.equal(blocks.agent('__proto__'), undefined);
  assert.equal(blocks.server('constructor'), undefined);
  blocks.apply(event({ kind: 'agent', name: '__proto__', reason: 'odd' }));
  assert.equal(blockText(blocks.agent('__proto__') as BlockEvent), 'blocked by ann@host: odd');
});
