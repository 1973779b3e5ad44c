import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { AttemptOptions, AttemptOutcome } from '../../../shared/bus/caller.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { verifies } from '../../../test/requirements.ts';
import { createDispatcher } from './dispatcher.ts';

const reply = (instance: string): AttemptOutcome => ({
  kind: 'answered',
  reply: { kind: 'error', error: { code: 1, message: '' }, instance, timing: { totalMs: 0, upstreamMs: 0 } },
});
const refused = (why: 'full' | 'no_responders' | 'no_accept' | 'breaker', instance?: string): AttemptOutcome => ({
  kind: 'refused',
  why,
  instance,
});

function status(instance: string, more: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    server: 's',
    instance,
    state: 'ready',
    tools: 1,
    concurrency: 2,
    inFlight: 0,
    breaker: 'closed',
    eras: ['legacy'],
    transport: 'stdio',
    restarts: 0,
    pid: 1,
    host: 'h',
    version: '0',
    startedAt: 0,
    ...more,
  };
}

const call: Call = {
  id: 'c',
  server: 's',
  method: 'tools/call',
  target: 't',
  params: {},
  agent: { protocolVersion: '2026-07-28', capabilities: {} },
  principal: { id: 'a', method: 'key' },
  wantsProgress: false,
  timeoutMs: 1_000,
  headers: {},
};

function build(
  instances: InstanceStatus[],
  attempt: (instance: string | undefined, n: number, mayWait: boolean) => AttemptOutcome | Promise<AttemptOutcome>,
) {
  const offers: (string | undefined)[] = [];
  const declined: string[] = [];
  const free = new Set<(server: string, instance: string, agent: string) => void>();
  const dispatcher = createDispatcher({
    instances: () => instances,
    onFree(listener) {
      free.add(listener);
      return () => free.delete(listener);
    },
    decline: (_server, instance, agent) => void declined.push(`${instance} ${agent}`),
    async attempt(_call, options: AttemptOptions) {
      offers.push(options.instance);
      const outcome = await attempt(options.instance, offers.length, options.mayWait === true);
      if (outcome.kind === 'answered') options.onGo?.(outcome.reply.instance);
      return outcome;
    },
  });
  const dispatch = (from: Partial<Call> = {}, signal = new AbortController().signal) =>
    dispatcher.dispatch({ ...call, ...from }, { signal, onNotification: () => {} });
  const sayFree = () => {
    for (const listener of free) listener('s', 'x', 'a');
  };
  return { dispatcher, dispatch, offers, declined, sayFree };
}

const reasonIs = (reason: string) => (error: unknown) => error instanceof GatewayError && error.reason === reason;

test('dispatcher - a process that is full is passed over for the other one', async () => {
  const { dispatch, offers } = build([status('x'), status('y')], (instance) =>
    instance === 'x' ? refused('full', 'x') : reply('y'),
  );
  for (let n = 0; n < 20; n += 1) assert.equal((await dispatch()).instance, 'y');
  assert.ok(offers.includes('x'));
});

test('dispatcher - an open breaker everywhere is answered circuit_open without an offer', async () => {
  const { dispatch, offers } = build([status('x', { breaker: 'open', retryAfterMs: 900 })], () => reply('x'));
  await assert.rejects(
    dispatch(),
    (error) => reasonIs('circuit_open')(error) && (error as GatewayError).retryAfterMs === 900,
  );
  assert.equal(offers.length, 0);
});

test('dispatcher - while the one half-open process is probed, others are answered circuit_open', async () => {
  let finish = (_: AttemptOutcome) => {};
  const { dispatch } = build(
    [status('x', { breaker: 'half_open' })],
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  const probe = dispatch();
  await sleep(10);
  await assert.rejects(dispatch(), reasonIs('circuit_open'));
  finish(reply('x'));
  await probe;
});

test('dispatcher - no process that serves is answered no_worker at once', async () => {
  const { dispatch, offers } = build([status('x', { state: 'failed' })], () => reply('x'));
  await assert.rejects(dispatch(), reasonIs('no_worker'));
  assert.equal(offers.length, 0);
});

test('dispatcher - nobody known is asked through the group and then answered no_worker', async () => {
  const { dispatch, offers } = build([], () => refused('no_responders'));
  await assert.rejects(dispatch(), reasonIs('no_worker'));
  assert.deepEqual(offers, [undefined]);
});

test('dispatcher - a process that does not accept is left alone by the next calls', async () => {
  const { dispatch, offers } = build([status('x'), status('y')], (instance) =>
    instance === 'x' ? refused('no_accept') : reply('y'),
  );
  for (let n = 0; n < 20; n += 1) await dispatch();
  assert.ok(offers.filter((instance) => instance === 'x').length <= 1);
});

test('dispatcher - a process that was only late is asked again as soon as it answers', async () => {
  let answer = (_outcome: AttemptOutcome) => {};
  const held = new Promise<AttemptOutcome>((resolve) => {
    answer = resolve;
  });
  let ofX = 0;
  const { dispatch, offers } = build([status('x'), status('y')], (instance) => {
    if (instance === 'y') return reply('y');
    ofX += 1;
    return ofX === 1 ? held : ofX === 2 ? refused('no_accept') : reply('x');
  });
  const running: Promise<unknown>[] = [];
  while (ofX < 2) {
    running.push(dispatch());
    await setImmediate();
  }
  for (let n = 0; n < 20; n += 1) await dispatch();
  assert.equal(ofX, 2, 'it is left alone while it is silent');
  answer(reply('x'));
  await Promise.all(running);
  const before = offers.length;
  for (let n = 0; n < 60; n += 1) await dispatch();
  assert.ok(offers.slice(before).includes('x'));
});

test('dispatcher - calls above the capacity wait and start as slots come free', async () => {
  let running = 0;
  let most = 0;
  let ahead = 0;
  const { dispatch, dispatcher } = build([status('x', { concurrency: 2 })], async (_instance, _n, mayWait) => {
    running += 1;
    most = Math.max(most, running);
    if (mayWait) ahead += 1;
    await sleep(5);
    running -= 1;
    return reply('x');
  });
  await Promise.all(Array.from({ length: 12 }, () => dispatch()));
  // Two slots, and one more in the line of the worker, which knows that it is more.
  assert.equal(most, 3);
  assert.ok(ahead > 0);
  assert.deepEqual(dispatcher.load().get('s'), { waiting: 0, inFlight: 0 });
});

test('dispatcher - when others hold every slot the call waits for free and is offered again', async () => {
  const { dispatch, sayFree } = build([status('x')], (_instance, n) => (n <= 2 ? refused('full', 'x') : reply('x')));
  const answer = dispatch();
  await sleep(10);
  sayFree();
  assert.equal((await answer).instance, 'x');
});

test('dispatcher - a slot that is kept for an agent goes to its call, whoever waits longer', async () => {
  const agents: string[] = [];
  const { dispatch, sayFree } = build([status('x', { concurrency: 9 })], (_instance, n) =>
    n <= 3 ? refused('full', 'x') : reply('x'),
  );
  const named = (id: string) => dispatch({ principal: { id, method: 'key' } }).then(() => agents.push(id));
  const all = [named('z'), named('y'), named('a')];
  await setImmediate();
  sayFree();
  await Promise.all(all);
  assert.equal(agents[0], 'a');
});

test('dispatcher - a slot that is kept for an agent without a waiting call is given back', async () => {
  const { dispatch, declined, sayFree } = build([status('x')], () => reply('x'));
  await dispatch();
  sayFree();
  await setImmediate();
  assert.deepEqual(declined, ['x a']);
});

test('dispatcher - while other ingresses have slots, each agent that waits asks once', async () => {
  let full = true;
  const { dispatch, offers, sayFree } = build([status('x', { concurrency: 9 })], () =>
    full ? refused('full', 'x') : reply('x'),
  );
  const calls = Array.from({ length: 20 }, (_, n) =>
    dispatch({ timeoutMs: 60_000, principal: { id: n < 10 ? 'a' : 'b', method: 'key' } }),
  );
  await setImmediate();
  const atFirst = offers.length;
  // As many as it believed to be free, then one for the other agent.
  assert.ok(atFirst <= 10, `${atFirst} offers`);
  const later = Array.from({ length: 5 }, () => dispatch({ timeoutMs: 60_000 }));
  await setImmediate();
  // One more where this process stood still until it was time to ask again.
  assert.ok(offers.length <= atFirst + 1, `${offers.length} offers, not ${atFirst}`);
  full = false;
  sayFree();
  await Promise.all([...calls, ...later]);
});

test('dispatcher - a call bound to a full process goes on when that keeps a slot for its agent', async () => {
  const startedAt = performance.now();
  let free = false;
  const { dispatch, offers, sayFree, declined } = build([status('x')], (_instance, n) => {
    if (n === 3) setTimeout(sayFree, 5).unref();
    if (n > 3) free = true;
    return free ? reply('x') : refused('full');
  });
  assert.equal((await dispatch({ instance: 'x' })).instance, 'x');
  assert.equal(offers.length, 4);
  assert.deepEqual(declined, []);
  assert.ok(performance.now() - startedAt < 450, 'it did not wait for its next try');
});

test('dispatcher - a waiting call that is cancelled leaves the queue', async () => {
  const { dispatch, dispatcher } = build([status('x', { concurrency: 1 })], async () => {
    await sleep(100);
    return reply('x');
  });
  const first = dispatch();
  const controller = new AbortController();
  const second = dispatch({}, controller.signal);
  await sleep(10);
  assert.equal(dispatcher.load().get('s')?.waiting, 1);
  controller.abort('gone');
  await assert.rejects(second, (reason) => reason === 'gone');
  assert.equal(dispatcher.load().get('s')?.waiting, 0);
  await first;
});

test('dispatcher - a call bound to a process that is gone is offered nowhere else; only a held one has begun', async () => {
  const { dispatch, offers } = build([status('x')], () => refused('no_responders'));
  await assert.rejects(dispatch({ instance: 'gone', park: 'held' }), reasonIs('upstream_lost'));
  await assert.rejects(dispatch({ instance: 'gone' }), reasonIs('no_worker'));
  assert.deepEqual(offers, ['gone', 'gone']);
});

test('dispatcher - a call bound to a full process waits for it, and one with an open breaker is told so', async () => {
  const full = build([status('x'), status('y')], (_instance, n) => (n < 4 ? refused('full') : reply('x')));
  assert.equal((await full.dispatch({ instance: 'x' })).instance, 'x');
  assert.ok(full.offers.every((instance) => instance === 'x'));
  const open = build([status('x')], () => refused('breaker'));
  await assert.rejects(open.dispatch({ instance: 'x' }), reasonIs('circuit_open'));
  const never = build([status('x')], () => refused('full'));
  await assert.rejects(never.dispatch({ instance: 'x', timeoutMs: 500 }), reasonIs('overloaded'));
});

test('dispatcher - with one process dead and the other full, a call waits for the living one', async () => {
  const { dispatch } = build([status('dead'), status('busy')], (instance, n) => {
    if (instance === 'dead') return refused('no_responders');
    return n < 8 ? refused('full', 'busy') : reply('busy');
  });
  const answers = await Promise.all(Array.from({ length: 3 }, () => dispatch({ timeoutMs: 5_000 })));
  assert.deepEqual(
    answers.map(({ instance }) => instance),
    ['busy', 'busy', 'busy'],
  );
});

test('dispatcher - a single process is offered to by name, because the group may still hold a frozen one', async () => {
  const { dispatch, offers } = build([status('x')], () => reply('x'));
  await dispatch();
  assert.deepEqual(offers, ['x']);
});

test('dispatcher - the time a call has waited is taken from its deadline', async () => {
  const left: number[] = [];
  const dispatcher = createDispatcher({
    instances: () => [status('x', { concurrency: 1 })],
    onFree: () => () => undefined,
    decline: () => undefined,
    async attempt({ timeoutMs }) {
      left.push(timeoutMs);
      await sleep(200);
      return reply('x');
    },
  });
  const options = { signal: new AbortController().signal, onNotification: () => {} };
  await Promise.all([dispatcher.dispatch(call, options), dispatcher.dispatch(call, options)]);
  const [first, second] = left;
  assert.ok(first !== undefined && second !== undefined && second <= first - 150, left.join());
});

test('dispatcher - while the bus is away calls are refused at once, whatever waits', async () => {
  const dispatcher = createDispatcher({
    instances: () => [status('x')],
    onFree: () => () => undefined,
    decline: () => undefined,
    connected: () => false,
    attempt: () => Promise.reject(new Error('was offered')),
  });
  const options = { signal: new AbortController().signal, onNotification: () => {} };
  await assert.rejects(dispatcher.dispatch(call, options), reasonIs('broker_unavailable'));
});

function answeredAfter(upstreamMs: number): AttemptOutcome {
  const error = { code: 1, message: '' };
  return { kind: 'answered', reply: { kind: 'error', error, instance: 'x', timing: { totalMs: 0, upstreamMs } } };
}

/** Whether each offer might wait: of the first call, which sets the average, then of four that start together at two slots. */
async function offersOf(upstreamMs: number) {
  const mayWaits: boolean[] = [];
  const ends: (() => void)[] = [];
  const { dispatch } = build([status('x')], (_instance, n, mayWait) => {
    mayWaits.push(mayWait);
    if (n === 1) return answeredAfter(upstreamMs);
    return new Promise((resolve) => ends.push(() => resolve(answeredAfter(upstreamMs))));
  });
  await dispatch();
  const calls = Promise.all(Array.from({ length: 4 }, () => dispatch()));
  await sleep(10);
  const before = [...mayWaits];
  while (ends.length > 0) {
    ends.shift()?.();
    await sleep(5);
  }
  await calls;
  return { before, all: mayWaits.length };
}

test('dispatcher - of short calls one more than there are slots goes ahead to the line of the worker', async () => {
  verifies('bus:line');
  assert.deepEqual(await offersOf(10), { before: [false, false, false, true], all: 5 });
});

test('dispatcher - long calls wait here until a slot is free', async () => {
  assert.deepEqual(await offersOf(500), { before: [false, false, false], all: 5 });
});

test('dispatcher - a call that finds the line full keeps its turn and is offered again', async () => {
  let held = (_: AttemptOutcome) => {};
  let lines = 0;
  const { dispatch } = build([status('x', { concurrency: 1 })], (_instance, n, mayWait) => {
    if (mayWait) lines += 1;
    if (n === 1) return answeredAfter(1);
    if (mayWait) return refused('full', 'x');
    if (n > 2) return answeredAfter(1);
    return new Promise((resolve) => {
      held = resolve;
    });
  });
  await dispatch();
  const first = dispatch();
  const second = dispatch();
  await sleep(30);
  assert.equal(lines, 1);
  held(answeredAfter(1));
  await Promise.all([first, second]);
});
