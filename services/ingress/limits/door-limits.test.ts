import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalAddress } from '../../../shared/config/addresses.ts';
import { configOf } from '../catalog/testing/fixtures.ts';
import { createDoorLimits } from './door-limits.ts';

const ann = { id: 'ann', method: 'key' } as const;
const nobody = { id: 'anonymous', method: 'none' } as const;

function doorOf(limits: object) {
  const config = configOf({ limits });
  const clock = { now: 0 };
  return {
    door: createDoorLimits(
      () => config,
      () => clock.now,
    ),
    clock,
  };
}

/** The n-th address of one /64, as the access rules spell it. */
const inNetwork = (n: number, network = '2001:db8:0:7') => canonicalAddress(`${network}::${n.toString(16)}`) ?? '';

test('door limits - a thousand addresses of one /64 have the attempts of one (E19)', () => {
  const { door, clock } = doorOf({ unauthenticated: { rate: '1/s', burst: 20 } });
  const answers = Array.from(
    { length: 1_000 },
    (_, n) => door.beforeLooking(inNetwork(n)) ?? door.failed(inNetwork(n)),
  );
  assert.deepEqual(
    answers.map((refusal) => refusal?.reason),
    [...new Array(20).fill(undefined), ...new Array(980).fill('rate_limited')],
  );
  assert.equal(answers.at(-1)?.retryAfterMs, 1_000);
  assert.equal(door.failed(inNetwork(1, '2001:db8:0:8')), undefined, 'the neighbouring network');
  assert.equal(door.failed('192.0.2.1'), undefined);
  clock.now = 1_000;
  assert.equal(door.failed(inNetwork(5_000)), undefined);
  assert.equal(door.refusals.unauthenticated, 980);
});

test('door limits - where somebody is known, others are looked at though strangers used up the attempts', () => {
  const { door } = doorOf({ unauthenticated: { rate: '1/m', burst: 3 } });
  for (let n = 0; n < 3; n += 1) door.failed('192.0.2.1');
  assert.equal(door.beforeLooking('192.0.2.1')?.reason, 'rate_limited');
  const shared = doorOf({ unauthenticated: { rate: '1/m', burst: 3 } }).door;
  shared.failed('192.0.2.1');
  assert.equal(shared.entered(ann, '192.0.2.1'), undefined);
  for (let n = 0; n < 10; n += 1) shared.failed('192.0.2.1');
  assert.equal(shared.beforeLooking('192.0.2.1'), undefined);
  assert.equal(shared.failed('192.0.2.1')?.reason, 'rate_limited');
});

test('door limits - requests are counted by agent, and by network where nobody has a name', () => {
  const { door } = doorOf({ requests: { rate: '1/s', burst: 5 } });
  const refused = (count: number, enter: (n: number) => unknown) =>
    Array.from({ length: count }, (_, n) => enter(n)).filter((refusal) => refusal !== undefined).length;
  assert.equal(
    refused(12, (n) => door.entered(ann, `192.0.2.${n}`)),
    7,
  );
  assert.equal(
    refused(12, (n) => door.entered(nobody, inNetwork(n))),
    7,
  );
  assert.equal(
    refused(5, () => door.entered(nobody, '127.0.0.1')),
    0,
  );
});

test('door limits - without a rate nobody is refused', () => {
  const { door } = doorOf({});
  for (let n = 0; n < 5_000; n += 1) assert.equal(door.entered(ann, '127.0.0.1'), undefined);
});
