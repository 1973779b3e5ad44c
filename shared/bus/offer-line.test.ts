import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/helpers/until.ts';
import { verifies } from '../../test/requirements.ts';
import type { CalleeAnswer } from './callee.ts';
import { createCaller } from './caller.ts';
import { busLimits } from './limits.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';
import { callOf, openCallPair, silentLog, testCallKey, testSubjects } from './testing/call-pair.ts';

let broker: TestBroker;
before(async () => {
  broker = await startTestBroker();
});
after(() => broker.close());

const done: CalleeAnswer = { kind: 'result', resultType: 'complete', result: {} };

/** A worker with one slot and room for so many offers in line. Its calls end when told. */
async function oneSlot(t: { after(fn: () => unknown): void }, line: number) {
  const ends: (() => void)[] = [];
  let most = 0;
  let now = 0;
  const pair = await openCallPair(t, broker.url, {
    line,
    admit: (inFlight) => (inFlight < 1 ? { ok: true } : { ok: false, why: 'full' }),
    run: () => {
      now += 1;
      most = Math.max(most, now);
      return new Promise((resolve) => {
        ends.push(() => {
          now -= 1;
          resolve(done);
        });
      });
    },
  });
  const started = async (count: number) => {
    await until(`${count} calls run`, () => ends.length >= count);
  };
  return { ...pair, ends, started, mostAtOnce: () => most };
}

test('offer line - an offer that may wait is taken when the slot is free, in order, one at a time', async (t) => {
  verifies('bus:line');
  const { attempt, ends, started, mostAtOnce, callee } = await oneSlot(t, 2);
  const first = attempt(callOf('echo'));
  await started(1);
  const order: string[] = [];
  const second = attempt(callOf('echo'), { mayWait: true }).finally(() => order.push('second'));
  const third = attempt(callOf('echo'), { mayWait: true }).finally(() => order.push('third'));
  await sleep(30);
  assert.equal(ends.length, 1);
  assert.equal(callee.inFlight, 1);
  ends[0]?.();
  await started(2);
  ends[1]?.();
  await started(3);
  ends[2]?.();
  for (const outcome of await Promise.all([first, second, third])) assert.equal(outcome.kind, 'answered');
  assert.deepEqual(order, ['second', 'third']);
  assert.equal(mostAtOnce(), 1);
});

test('offer line - without leave to wait, or with the line full, an offer is refused at once', async (t) => {
  const { attempt, ends, started } = await oneSlot(t, 1);
  const first = attempt(callOf('echo'));
  await started(1);
  const waits = attempt(callOf('echo'), { mayWait: true });
  const plain = await attempt(callOf('echo'));
  const tooMany = await attempt(callOf('echo'), { mayWait: true });
  assert.ok(plain.kind === 'refused' && plain.why === 'full');
  assert.ok(tooMany.kind === 'refused' && tooMany.why === 'full');
  ends[0]?.();
  await started(2);
  ends[1]?.();
  assert.equal((await waits).kind, 'answered');
  assert.equal((await first).kind, 'answered');
});

test('offer line - who waits in vain is told full in time, by the worker and not by silence', async (t) => {
  const { attempt, started, callee } = await oneSlot(t, 1);
  attempt(callOf('echo')).catch(() => {});
  await started(1);
  const outcome = await attempt(callOf('echo'), { mayWait: true });
  assert.ok(outcome.kind === 'refused' && outcome.why === 'full' && outcome.instance === 'w1');
  assert.equal(callee.refused, 1);
  assert.ok(busLimits.lineMs + busLimits.sweepMs < busLimits.acceptMs);
});

test('offer line - a call cancelled in line never runs, and its slot goes to the next', async (t) => {
  const { attempt, ends, started } = await oneSlot(t, 2);
  const first = attempt(callOf('echo'));
  await started(1);
  const leaves = new AbortController();
  const cancelled = attempt(callOf('echo'), { mayWait: true, signal: leaves.signal });
  cancelled.catch(() => {});
  const stays = attempt(callOf('echo'), { mayWait: true });
  await sleep(30);
  leaves.abort('the agent left');
  await assert.rejects(cancelled, (reason) => reason === 'the agent left');
  ends[0]?.();
  await started(2);
  ends[1]?.();
  assert.equal((await first).kind, 'answered');
  assert.equal((await stays).kind, 'answered');
  assert.equal(ends.length, 2);
});

test('offer line - a worker that stops sends those in line elsewhere at once', async (t) => {
  const { attempt, ends, started, callee } = await oneSlot(t, 1);
  const first = attempt(callOf('echo'));
  await started(1);
  const waits = attempt(callOf('echo'), { mayWait: true });
  await sleep(30);
  const drained = callee.drain(5_000);
  const outcome = await waits;
  assert.ok(outcome.kind === 'refused' && outcome.why === 'draining');
  ends[0]?.();
  assert.equal((await first).kind, 'answered');
  await drained;
});

test('offer line - while another ingress waits for a free slot nobody goes ahead of it', async (t) => {
  const { attempt, ends, started, ingressConnection } = await oneSlot(t, 1);
  const other = createCaller({
    nc: ingressConnection,
    subjects: testSubjects,
    ingress: 'i2',
    log: silentLog,
    callKeyOf: () => testCallKey,
  });
  t.after(() => other.close());
  const free = new Promise<void>((resolve) => other.onFree(() => resolve()));
  const first = attempt(callOf('echo'));
  await started(1);
  const options = { signal: new AbortController().signal, onNotification: () => {} };
  const refused = await other.attempt(callOf('echo'), options);
  assert.ok(refused.kind === 'refused' && refused.why === 'full');
  const ahead = await attempt(callOf('echo'), { mayWait: true });
  assert.ok(ahead.kind === 'refused' && ahead.why === 'full');
  ends[0]?.();
  await free;
  const itsTurn = other.attempt(callOf('echo'), options);
  await started(2);
  ends[1]?.();
  assert.equal((await itsTurn).kind, 'answered');
  await first;
});
