import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../shared/errors.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { configOf } from '../catalog/testing/fixtures.ts';
import { createLimits, type Limits, type Pass } from './limits.ts';

const ann: Principal = { id: 'ann', method: 'key' };
const bob: Principal = { id: 'bob', method: 'key' };
const server = { command: 'x' };

/** Limits of a configuration on a clock that the test turns. */
function limitsOf(given: object): { limits: Limits; clock: { now: number }; setConfig(next: object): void } {
  let config = configOf(given);
  const clock = { now: 0 };
  const limits = createLimits({ config: () => config, now: () => clock.now });
  return {
    limits,
    clock,
    setConfig(next) {
      config = configOf(next);
    },
  };
}

/** How many of `count` calls come through, with the refusal of the first that does not. */
function attempt(
  count: number,
  enter: () => Pass,
): { admitted: number; passes: Pass[]; refusal: GatewayError | undefined } {
  const passes: Pass[] = [];
  let refusal: GatewayError | undefined;
  for (let n = 0; n < count; n += 1) {
    try {
      passes.push(enter());
    } catch (error) {
      assert.ok(error instanceof GatewayError);
      refusal ??= error;
    }
  }
  return { admitted: passes.length, passes, refusal };
}

const scopes: [name: string, config: object, enter: (limits: Limits) => Pass, other: (limits: Limits) => Pass][] = [
  [
    'agent',
    { agents: { ann: { limits: { rate: '10/s', burst: 4 } }, bob: {} } },
    (limits) => limits.admit(ann),
    (limits) => limits.admit(bob),
  ],
  [
    'server',
    { servers: { s: { ...server, limits: { rate: '10/s', burst: 4 } }, t: server } },
    (limits) => limits.admitTo(ann, 's', 'x'),
    (limits) => limits.admitTo(ann, 't', 'x'),
  ],
  [
    'tool',
    { servers: { s: { ...server, toolLimits: { 'get_*': { rate: '10/s', burst: 4 } } } } },
    (limits) => limits.admitTo(ann, 's', 'get_a'),
    (limits) => limits.admitTo(ann, 's', 'get_b'),
  ],
  [
    'agent on server',
    {
      servers: { s: server, t: server },
      agents: { ann: { serverLimits: { s: { rate: '10/s', burst: 4 } } }, bob: {} },
    },
    (limits) => limits.admitTo(ann, 's', undefined),
    (limits) => limits.admitTo(bob, 's', undefined),
  ],
  [
    'all calls',
    { limits: { rate: '10/s', burst: 4 } },
    (limits) => limits.admit(ann),
    (limits) => limits.admitTo(ann, 's', 'x'),
  ],
];

for (const [name, config, enter, other] of scopes) {
  test(`limits - the rate of ${name} holds, says when, and touches nothing else`, () => {
    const { limits, clock } = limitsOf(config);
    const { admitted, refusal } = attempt(6, () => enter(limits));
    assert.equal(admitted, 4);
    assert.deepEqual([refusal?.reason, refusal?.executed, refusal?.retryAfterMs], ['rate_limited', 'no', 100]);
    assert.equal(attempt(20, () => other(limits)).admitted >= 4, true);
    clock.now = 100;
    assert.equal(attempt(2, () => enter(limits)).admitted, 1);
  });
}

const slots: [name: string, reason: string, config: object, enter: (limits: Limits) => Pass][] = [
  ['all calls', 'overloaded', { limits: { concurrency: 3 } }, (limits) => limits.admit(ann)],
  ['agent', 'rate_limited', { agents: { ann: { limits: { concurrency: 3 } } } }, (limits) => limits.admit(ann)],
  [
    'server',
    'overloaded',
    { servers: { s: { ...server, limits: { concurrency: 3 } } } },
    (limits) => limits.admitTo(ann, 's', 'x'),
  ],
  [
    'tool',
    'overloaded',
    { servers: { s: { ...server, toolLimits: { '*': { concurrency: 3 } } } } },
    (limits) => limits.admitTo(ann, 's', 'x'),
  ],
  [
    'agent on server',
    'rate_limited',
    { servers: { s: server }, agents: { ann: { serverLimits: { s: { concurrency: 3 } } } } },
    (limits) => limits.admitTo(ann, 's', 'x'),
  ],
];

for (const [name, reason, config, enter] of slots) {
  test(`limits - the concurrency of ${name} refuses as ${reason}, and a slot given back once is one slot`, () => {
    const { limits } = limitsOf(config);
    const { admitted, passes, refusal } = attempt(5, () => enter(limits));
    assert.deepEqual([admitted, refusal?.reason], [3, reason]);
    passes[0]?.leave();
    passes[0]?.leave();
    assert.equal(attempt(5, () => enter(limits)).admitted, 1);
  });
}

test('limits - a pass charges all of its limits or none', () => {
  const { limits } = limitsOf({
    limits: { rate: '1/s', burst: 10 },
    agents: { ann: { limits: { rate: '1/s', burst: 2 } }, bob: {} },
  });
  assert.equal(attempt(50, () => limits.admit(ann)).admitted, 2);
  assert.equal(attempt(50, () => limits.admit(bob)).admitted, 8, 'what ann was refused did not cost the others');
});

test('limits - the full name of a tool goes before patterns, and the first pattern before later ones', () => {
  const { limits } = limitsOf({
    servers: {
      s: {
        ...server,
        toolLimits: {
          '*': { rate: '1/s', burst: 5 },
          'get_*': { rate: '1/s', burst: 9 },
          get_a: { rate: '1/s', burst: 2 },
        },
      },
    },
  });
  assert.equal(attempt(20, () => limits.admitTo(ann, 's', 'get_a')).admitted, 2);
  assert.equal(attempt(20, () => limits.admitTo(ann, 's', 'get_b')).admitted, 5);
});

test('limits - a principal without a name of the configuration has no limits of an agent', () => {
  const { limits } = limitsOf({
    agents: { development: { limits: { rate: '1/s' } }, anonymous: { limits: { rate: '1/s' } } },
  });
  assert.equal(attempt(20, () => limits.admit({ id: 'development', method: 'development' })).admitted, 20);
  assert.equal(attempt(20, () => limits.admit({ id: 'anonymous', method: 'none' })).admitted, 20);
});

test('limits - names that are members of every object limit nobody', () => {
  const { limits } = limitsOf({ servers: { s: server } });
  for (const id of ['__proto__', 'constructor', 'toString']) {
    assert.equal(attempt(20, () => limits.admit({ id, method: 'key' })).admitted, 20);
    assert.equal(attempt(20, () => limits.admitTo(ann, id, id)).admitted, 20);
  }
});

test('limits - a changed limit goes on with what was counted', () => {
  const before = { agents: { ann: { limits: { rate: '10/s', burst: 10, concurrency: 100 } } } };
  const { limits, setConfig } = limitsOf(before);
  const { passes } = attempt(10, () => limits.admit(ann));
  setConfig({ agents: { ann: { limits: { rate: '10/s', burst: 13, concurrency: 12 } } } });
  const { admitted, refusal } = attempt(10, () => limits.admit(ann));
  assert.deepEqual([admitted, refusal?.message], [2, 'as many calls are in flight as the limit of this agent allows']);
  setConfig({ agents: { ann: {} } });
  assert.equal(attempt(10, () => limits.admit(ann)).admitted, 10);
  setConfig(before);
  for (const pass of passes) pass.leave();
  const [state] = limits.states();
  assert.equal(state?.inFlight, 2);
});

test('limits - the default burst is a second of the rate, and one at least', () => {
  const of = (rate: string) => limitsOf({ limits: { rate } }).limits;
  for (const [rate, burst] of [
    ['7/s', 7],
    ['600/m', 10],
    ['30/h', 1],
  ] as const) {
    const limits = of(rate);
    assert.equal(attempt(50, () => limits.admit(ann)).admitted, burst, rate);
  }
});

test('limits - refusals are counted by what was limited', () => {
  const { limits } = limitsOf({ limits: { concurrency: 1 } });
  attempt(4, () => limits.admit(ann));
  assert.deepEqual([...limits.refusals], [['global', 3]]);
});
