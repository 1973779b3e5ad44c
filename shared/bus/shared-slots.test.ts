import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../test/helpers/until.ts';
import { verifies } from '../../test/requirements.ts';
import type { CalleeAnswer } from './callee.ts';
import { type AttemptOptions, createCaller } from './caller.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';
import { callOf, openCallPair, silentLog, testCallKey, testSubjects } from './testing/call-pair.ts';

let broker: TestBroker;
before(async () => {
  broker = await startTestBroker();
});
after(() => broker.close());

const done: CalleeAnswer = { kind: 'result', resultType: 'complete', result: {} };

/** A worker with so many slots, whose calls end when told, and ingresses that share it. */
async function shared(t: { after(fn: () => unknown): void }, slots: number) {
  const ends: (() => void)[] = [];
  const pair = await openCallPair(t, broker.url, {
    admit: (inFlight) => (inFlight < slots ? { ok: true } : { ok: false, why: 'full' }),
    run: () => new Promise((resolve) => ends.push(() => resolve(done))),
  });
  const heard: string[] = [];
  const ingress = (name: string) => {
    const caller = createCaller({
      nc: pair.ingressConnection,
      subjects: testSubjects,
      ingress: name,
      log: silentLog,
      callKeyOf: () => testCallKey,
    });
    t.after(() => caller.close());
    caller.onFree((_server, _instance, agent) => heard.push(`${agent}@${name}`));
    const offer = (agent: string, more: Partial<AttemptOptions> = {}) =>
      caller.attempt(
        { ...callOf('echo', { name: 'echo' }, 60_000), principal: { id: agent, method: 'key' } },
        { signal: new AbortController().signal, onNotification: () => {}, ...more },
      );
    const refused = async (agent: string, waiting = 0) => {
      const outcome = await offer(agent, { waiting });
      assert.ok(outcome.kind === 'refused' && outcome.why === 'full', agent);
    };
    return { caller, offer, refused };
  };
  const started = async (count: number) => {
    await until(`${count} calls run`, () => ends.length >= count);
  };
  const hears = async (...words: string[]) => {
    await until(`${words} are told`, () => heard.length >= words.length);
    assert.deepEqual(heard.splice(0), words);
  };
  return { ends, ingress, started, hears };
}

test('shared slots - a slot that comes free is kept for the agent with the fewest, at the ingress where it waits', async (t) => {
  verifies('limits:fair-turns-ingresses');
  const { ends, ingress, started, hears } = await shared(t, 2);
  const [one, two] = [ingress('a'), ingress('b')];
  const running = [one.offer('noisy'), two.offer('noisy')];
  await started(2);
  await one.refused('noisy', 30);
  await two.refused('calm');
  ends[0]?.();
  await hears('calm@b');
  await one.refused('noisy', 30);
  const calm = two.offer('calm');
  await started(3);
  for (const end of ends.splice(0)) end();
  for (const outcome of await Promise.all([...running, calm])) assert.equal(outcome.kind, 'answered');
});

test('shared slots - who is served and has more waiting need not ask again', async (t) => {
  const { ends, ingress, started, hears } = await shared(t, 1);
  const one = ingress('a');
  const first = one.offer('x');
  await started(1);
  await one.refused('x');
  ends[0]?.();
  await hears('x@a');
  const second = one.offer('x', { waiting: 1 });
  await started(2);
  ends[1]?.();
  await hears('x@a');
  assert.equal((await first).kind, 'answered');
  assert.equal((await second).kind, 'answered');
});

test('shared slots - a slot that is declined goes to the next at once', async (t) => {
  const { ends, ingress, started, hears } = await shared(t, 1);
  const [one, two] = [ingress('a'), ingress('b')];
  one.caller.onFree((server, instance, agent) => one.caller.decline(server, instance, agent));
  void two.offer('x').catch(() => {});
  await started(1);
  await one.refused('y');
  await two.refused('z');
  ends[0]?.();
  await hears('y@a', 'z@b');
});

test('shared slots - a slot that is kept for an ingress that died goes to the others', async (t) => {
  const { ends, ingress, started, hears } = await shared(t, 2);
  const [dies, lives] = [ingress('a'), ingress('b')];
  const running = [lives.offer('x'), lives.offer('x')];
  await started(2);
  for (const agent of ['k', 'l', 'm', 'n']) await dies.refused(agent, 9);
  await lives.refused('x', 5);
  dies.caller.close();
  ends[0]?.();
  await running[0];
  // Promised to the dead one first; then to nobody there again.
  await hears('x@b');
  const next = lives.offer('x', { waiting: 1 });
  await started(3);
  ends[1]?.();
  await hears('x@b');
  ends[2]?.();
  assert.equal((await next).kind, 'answered');
  await running[1];
});
