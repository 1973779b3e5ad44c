import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlotTurns } from './slot-turns.ts';

const nobody = new Map<string, number>();
const has = (slots: Record<string, number>) => new Map(Object.entries(slots));

function turnsAt() {
  const clock = { now: 0 };
  const turns = createSlotTurns(() => clock.now);
  const next = (held = nobody) => {
    const turn = turns.next(held);
    return turn && `${turn.agent}@${turn.ingress}`;
  };
  return { clock, turns, next };
}

test('slot turns - a slot is for the agent with the fewest slots, through whatever ingress it waits', () => {
  const { turns, next } = turnsAt();
  turns.wants('i1', 'noisy', 50);
  turns.wants('i2', 'noisy', 50);
  turns.wants('i2', 'calm', 1);
  assert.equal(next(has({ noisy: 3, calm: 2 })), 'calm@i2');
  assert.equal(next(has({ noisy: 3, calm: 2 })), 'noisy@i1');
  assert.equal(next(has({ noisy: 3, calm: 2 })), 'noisy@i2', 'ingresses of one agent take turns');
});

test('slot turns - equals take turns by agent, not by ingress', () => {
  const { turns, next } = turnsAt();
  for (const agent of ['a', 'b', 'c']) turns.wants('i1', agent, 2);
  turns.wants('i2', 'd', 9);
  turns.wants('i3', 'd', 9);
  const order = Array.from({ length: 8 }, () => {
    const turn = turns.next(nobody);
    if (turn) turns.came(turn.ingress, turn.agent);
    return turn?.agent;
  });
  assert.deepEqual(order, ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
  assert.equal(next(), 'd@i2');
});

test('slot turns - what is promised counts as held', () => {
  const { turns, next } = turnsAt();
  turns.wants('i1', 'a', 5);
  turns.wants('i1', 'b', 5);
  assert.deepEqual([next(), next(), next(has({ a: 0, b: 1 }))], ['a@i1', 'b@i1', 'a@i1']);
});

test('slot turns - a promised slot is kept from all others until its agent comes or declines', () => {
  const { turns, next } = turnsAt();
  turns.wants('i1', 'a', 1);
  assert.equal(next(), 'a@i1');
  assert.equal(next(), undefined, 'it wanted one');
  assert.deepEqual([turns.keptFrom('i1', 'a'), turns.keptFrom('i2', 'a'), turns.keptFrom('i1', 'b')], [0, 1, 1]);
  assert.equal(turns.came('i2', 'a'), false);
  assert.equal(turns.came('i1', 'a'), true);
  assert.equal(turns.keptFrom('i2', 'b'), 0);
  assert.equal(turns.came('i1', 'a'), false);
});

test('slot turns - an ingress that let a promise lapse gets no other until it is heard of', () => {
  const { clock, turns, next } = turnsAt();
  turns.wants('dead', 'a', 9);
  turns.wants('dead', 'b', 9);
  turns.wants('alive', 'c', 9);
  assert.equal(next(has({ c: 1 })), 'a@dead');
  clock.now = 251;
  assert.equal(turns.keptFrom('alive', 'c'), 0);
  assert.equal(turns.expire(), 1);
  assert.equal(turns.expire(), 0);
  assert.equal(next(has({ c: 7 })), 'c@alive');
  assert.equal(turns.othersWait('alive'), false);
  turns.wants('dead', 'b', 1);
  assert.equal(next(has({ c: 7 })), 'b@dead');
});

test('slot turns - who has not said for a while that it waits is forgotten', () => {
  const { clock, turns, next } = turnsAt();
  turns.wants('i1', 'a', 1);
  clock.now = 2_000;
  turns.wants('i2', 'b', 1);
  clock.now = 3_000;
  turns.expire();
  assert.equal(turns.othersWait('i2'), false);
  assert.equal(next(), 'b@i2');
  assert.equal(turns.anyWait, false);
});

test('slot turns - names from outside are bounded in number and length', () => {
  const { turns, next } = turnsAt();
  turns.wants('i1', 'x'.repeat(1_001), 1);
  assert.equal(next(), undefined);
  for (let n = 0; n < 3_000; n += 1) turns.wants('forged', `agent ${n}`, 1e9);
  turns.wants('i1', '__proto__', 1);
  const seen = new Set<string>();
  for (let n = 0; n < 2_500; n += 1) {
    const turn = turns.next(nobody);
    assert.ok(turn && turns.came(turn.ingress, turn.agent));
    seen.add(turn.agent);
  }
  assert.equal(seen.size, 2_000, 'the first come take turns');
});
