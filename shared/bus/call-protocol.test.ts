import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/helpers/until.ts';
import { GatewayError } from '../errors.ts';
import type { CallNotification } from '../mcp/call.ts';
import type { CalleeOptions } from './callee.ts';
import { createCaller } from './caller.ts';
import { connectBus } from './connect.ts';
import { decodeMessage, encodeMessage, type Frame } from './frames.ts';
import { busLimits } from './limits.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';
import { callOf, silentLog as log, openCallPair, testSubjects as subjects, testCallKey } from './testing/call-pair.ts';

let broker: TestBroker;

before(async () => {
  broker = await startTestBroker();
});
after(() => broker.close());

const open = (t: { after(fn: () => unknown): void }, run: CalleeOptions['run'], admit?: CalleeOptions['admit']) =>
  openCallPair(t, broker.url, { run, ...(admit && { admit }) });

const text = (body: Uint8Array) => Buffer.from(body).toString('utf8');

test('call protocol - a result comes back as the bytes the worker wrote', async (t) => {
  const { attempt } = await open(t, async (call) => ({
    kind: 'result',
    resultType: 'complete',
    result: { echoed: call.params },
  }));
  const outcome = await attempt(callOf('echo', { name: 'echo', arguments: { text: 'grüße' } }));
  assert.equal(outcome.kind, 'answered');
  assert.equal(outcome.reply.kind, 'result');
  assert.equal(text(outcome.reply.body), '{"echoed":{"name":"echo","arguments":{"text":"grüße"}}}');
  assert.equal(outcome.reply.instance, 'w1');
});

test('call protocol - a tool name with dots and wildcards reaches its own subject only', async (t) => {
  const { attempt } = await open(t, async () => ({ kind: 'result', resultType: 'complete', result: {} }));
  assert.equal((await attempt(callOf('a.b>*'))).kind, 'answered');
  assert.deepEqual(await attempt(callOf('a.b')), {
    kind: 'refused',
    why: 'no_responders',
    instance: undefined,
    retryAfterMs: undefined,
  });
});

test('call protocol - the tool does not start before beforeGo has resolved, and never when it rejects', async (t) => {
  let ran = 0;
  const { attempt, callee } = await open(t, async () => {
    ran += 1;
    return { kind: 'result', resultType: 'complete', result: {} };
  });
  let allow = () => {};
  const beforeGo = new Promise<void>((resolve) => {
    allow = resolve;
  });
  const first = attempt(callOf('echo'), { beforeGo });
  await sleep(100);
  assert.equal(ran, 0);
  allow();
  assert.equal((await first).kind, 'answered');
  assert.equal(ran, 1);
  const refusal = new GatewayError('audit_unavailable', 'nothing records');
  await assert.rejects(attempt(callOf('echo'), { beforeGo: Promise.reject(refusal) }), refusal);
  await sleep(100);
  assert.equal(ran, 1);
  assert.equal(callee.inFlight, 0);
});

test('call protocol - notifications arrive in order, before the answer', async (t) => {
  const { attempt } = await open(t, async (_call, { onNotification }) => {
    for (let n = 0; n < 20; n += 1) onNotification({ method: 'notifications/progress', params: { progress: n } });
    return { kind: 'result', resultType: 'complete', result: {} };
  });
  const seen: CallNotification[] = [];
  await attempt(callOf('echo'), { onNotification: (notification) => seen.push(notification) });
  assert.deepEqual(
    seen.map((notification) => notification.params['progress']),
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test('call protocol - large arguments and large results travel in parts', async (t) => {
  const { attempt } = await open(t, async (call) => ({
    kind: 'result',
    resultType: 'complete',
    result: { back: call.params },
  }));
  const big = 'ä'.repeat(3 * 1024 * 1024);
  const outcome = await attempt(callOf('echo', { name: 'echo', arguments: { big } }));
  assert.ok(outcome.kind === 'answered' && outcome.reply.kind === 'result');
  assert.deepEqual(JSON.parse(text(outcome.reply.body)), { back: { name: 'echo', arguments: { big } } });
});

test('call protocol - a full worker says busy at once and free when a slot is back', async (t) => {
  let finish: (() => void) | undefined;
  const { caller, attempt } = await open(
    t,
    () =>
      new Promise((resolve) => {
        finish = () => resolve({ kind: 'result', resultType: 'complete', result: {} });
      }),
    (inFlight) => (inFlight < 1 ? { ok: true } : { ok: false, why: 'full' }),
  );
  const freed = new Promise<string>((resolve) => caller.onFree((_server, instance) => resolve(instance)));
  const first = attempt(callOf('echo'));
  await until('the first one runs', () => finish !== undefined);
  const second = await attempt(callOf('echo'));
  assert.ok(second.kind === 'refused' && second.why === 'full' && second.instance === 'w1');
  finish?.();
  assert.equal((await first).kind, 'answered');
  assert.equal(await freed, 'w1');
});

test('call protocol - cancelling reaches the running tool', async (t) => {
  let aborted = () => {};
  const wasAborted = new Promise<void>((resolve) => {
    aborted = resolve;
  });
  let runs = false;
  const { attempt, callee } = await open(
    t,
    (_call, { signal }) =>
      new Promise((_resolve, reject) => {
        runs = true;
        signal.addEventListener('abort', () => {
          aborted();
          reject(signal.reason);
        });
      }),
  );
  const controller = new AbortController();
  const running = attempt(callOf('echo'), { signal: controller.signal });
  await until('it runs', () => runs);
  controller.abort('the agent left');
  await assert.rejects(running, (reason) => reason === 'the agent left');
  await wasAborted;
  await until('its slot is free', () => callee.inFlight === 0);
});

test('call protocol - a deadline ends the call at the worker and answers upstream_timeout', async (t) => {
  const { attempt } = await open(
    t,
    (_call, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  await assert.rejects(
    attempt(callOf('echo', {}, 200)),
    (error) => error instanceof GatewayError && error.reason === 'upstream_timeout',
  );
});

test('call protocol - an error of the worker keeps its reason and its promise', async (t) => {
  const { attempt } = await open(t, () =>
    Promise.reject(new GatewayError('no_worker', 'the upstream is not connected')),
  );
  await assert.rejects(
    attempt(callOf('echo')),
    (error) => error instanceof GatewayError && error.reason === 'no_worker' && error.executed === 'no',
  );
});

test('call protocol - a worker that vanishes while it runs a call loses it within 3.5 s, one that only accepted never starts it', async (t) => {
  const { attempt, callee, workerConnection } = await open(t, () => new Promise(() => {}));
  const running = attempt(callOf('echo'));
  running.catch(() => {});
  let allow = () => {};
  const beforeGo = new Promise<void>((resolve) => {
    allow = resolve;
  });
  const pending = attempt(callOf('echo'), { beforeGo });
  await until('the worker has both', () => callee.inFlight === 2);
  const goneAt = performance.now();
  await workerConnection.close();
  // Until nats-server has noticed, it takes a `go` for nobody.
  await sleep(200);
  allow();
  const outcome = await pending;
  assert.ok(outcome.kind === 'refused' && outcome.why === 'expired');
  await assert.rejects(
    running,
    (error) => error instanceof GatewayError && error.reason === 'upstream_lost' && error.executed === 'unknown',
  );
  assert.ok(performance.now() - goneAt < 3_500);
});

test('call protocol - an ingress that stood still reads what came meanwhile before it calls anybody silent', async (t) => {
  const { attempt } = await open(t, async () => ({ kind: 'result', resultType: 'complete', result: {} }));
  const outcome = attempt(callOf('echo'));
  // The offer leaves at the end of this turn; then neither side can do anything for longer than an offer waits.
  await sleep(0);
  const over = performance.now() + 1.5 * busLimits.acceptMs;
  while (performance.now() < over);
  assert.equal((await outcome).kind, 'answered');
});

test('call protocol - draining finishes what runs and refuses what comes', async (t) => {
  const { attempt, callee } = await open(t, async () => {
    await sleep(200);
    return { kind: 'result', resultType: 'complete', result: {} };
  });
  const running = attempt(callOf('echo'));
  await until('it runs', () => callee.inFlight === 1);
  const drained = callee.drain(5_000);
  const refused = await attempt(callOf('echo'), { instance: 'w1' });
  assert.ok(refused.kind === 'refused' && refused.why === 'draining');
  assert.equal((await running).kind, 'answered');
  await drained;
});

test('call protocol - offers without a broker fail at once with broker_unavailable', async (t) => {
  const other = await startTestBroker();
  const nc = await connectBus({ url: other.url, name: 'alone', log });
  const caller = createCaller({ nc, subjects, ingress: 'i2', log, callKeyOf: () => testCallKey });
  t.after(async () => {
    caller.close();
    await nc.close();
  });
  await other.close();
  await sleep(100);
  await assert.rejects(
    caller.attempt(callOf('echo'), { signal: new AbortController().signal, onNotification: () => {} }),
    (error) => error instanceof GatewayError && error.reason === 'broker_unavailable' && error.executed === 'no',
  );
});

test('call protocol - a worker that stops never runs what it had only accepted, and says so', async (t) => {
  let ran = 0;
  const { attempt, callee } = await open(t, async () => {
    ran += 1;
    return { kind: 'result', resultType: 'complete', result: {} };
  });
  let allow = () => {};
  const beforeGo = new Promise<void>((resolve) => {
    allow = resolve;
  });
  const pending = attempt(callOf('echo'), { beforeGo });
  await until('it is accepted', () => callee.inFlight === 1);
  await callee.drain(100);
  allow();
  const outcome = await pending;
  assert.ok(outcome.kind === 'refused' && outcome.why === 'expired');
  assert.equal(ran, 0);
});

test('call protocol - an offer to one process for a tool that it does not have is refused', async (t) => {
  const { attempt } = await open(t, async () => ({ kind: 'result', resultType: 'complete', result: {} }));
  const outcome = await attempt(callOf('elsewhere'), { instance: 'w1' });
  assert.ok(outcome.kind === 'refused' && outcome.why === 'down');
  assert.equal((await attempt(callOf('echo'), { instance: 'w1' })).kind, 'answered');
});

/** A worker that accepts and is told to go; what it says then is up to the test. */
async function openFakeWorker(t: { after(fn: () => unknown): void }) {
  const nc = await connectBus({ url: broker.url, name: 'fake', log });
  const connection = await connectBus({ url: broker.url, name: 'ingress', log });
  const caller = createCaller({ nc: connection, subjects, ingress: 'i3', log, callKeyOf: () => testCallKey });
  t.after(async () => {
    caller.close();
    await Promise.all([nc.close(), connection.close()]);
  });
  const say = (subject: string, frame: Frame, body?: string) => nc.publish(subject, encodeMessage(frame, body));
  const toAlive = subjects.reply('i3', 'alive');
  let onPing = (_n: number | undefined) => {};
  const gone = new Promise<string>((resolve) => {
    nc.subscribe(subjects.instanceControl('srv', 'fake'), {
      callback(_error, message) {
        const control = decodeMessage(message.data)?.head;
        if (control?.k === 'go') resolve(message.reply ?? '');
        if (control?.k === 'ping') onPing(control.n);
      },
    });
  });
  nc.subscribe(subjects.instanceCall('srv', 'fake'), {
    callback: (_error, message) => say(message.reply ?? '', { k: 'accepted', instance: 'fake', challenge: '1' }),
  });
  await nc.flush();
  const running = caller.attempt(callOf('echo', {}, 60_000), {
    instance: 'fake',
    signal: new AbortController().signal,
    onNotification: () => {},
  });
  running.catch(() => {});
  const reply = await gone;
  return {
    running,
    reply,
    say,
    sayAlive: (n?: number) => say(toAlive, { k: 'alive', instance: 'fake', keys: [], n }),
    answerPings(answer: (n: number | undefined) => void) {
      onPing = answer;
    },
  };
}

test('call protocol - a call that its worker does not know any more is lost, long before its deadline', async (t) => {
  const { running, sayAlive, answerPings } = await openFakeWorker(t);
  answerPings(sayAlive);
  sayAlive();
  await assert.rejects(running, (error) => error instanceof GatewayError && error.reason === 'upstream_lost');
});

test('call protocol - what a worker said before it was told to go makes no call lost', async (t) => {
  const { running, reply, say, sayAlive } = await openFakeWorker(t);
  for (let n = 0; n < 5; n += 1) sayAlive();
  await sleep(100);
  say(reply, { k: 'result', resultType: 'complete', upstreamMs: 1 }, '{}');
  assert.equal((await running).kind, 'answered');
});

for (const [what, chunks] of Object.entries({
  'more than it announced': [{ of: 10, text: 'x'.repeat(11) }],
  'less than it announced': [{ of: 100, text: 'x' }],
  'without saying how large': [{ of: undefined, text: 'x' }],
  'larger than a result may be': [{ of: 65 * 1024 * 1024, text: 'x' }],
})) {
  test(`call protocol - a result that comes in parts, ${what}, is bad_upstream_output`, async (t) => {
    const { attempt, workerConnection } = await open(t, () => new Promise(() => {}));
    const running = attempt(callOf('echo'));
    running.catch(() => {});
    const keys = workerConnection.subscribe(subjects.instanceControl('srv', 'w1'), { max: 1 });
    for await (const message of keys) {
      const key = message.reply?.split('.').at(-1) ?? '';
      const reply = subjects.reply('i1', key);
      for (const { of, text } of chunks) workerConnection.publish(reply, encodeMessage({ k: 'chunk', of }, text));
      workerConnection.publish(reply, encodeMessage({ k: 'result', resultType: 'complete', upstreamMs: 1 }, ''));
    }
    await assert.rejects(
      running,
      (error) => error instanceof GatewayError && error.reason === 'bad_upstream_output' && error.executed === 'yes',
    );
  });
}
