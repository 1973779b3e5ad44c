import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixtureCommand } from '../helpers/fixture.ts';
import { startNats } from '../helpers/nats.ts';
import { type RoundRobinProxy, startRoundRobinProxy } from '../helpers/round-robin-proxy.ts';
import { callTool, modern, openLegacySession, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startIngress, startWorker } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const stdio = (...args: Parameters<typeof fixtureCommand>) => fixtureCommand(...args);
const config = {
  servers: {
    asking: { ...stdio('conformance-v1', ['--stdio']), timeoutMs: 20_000 },
    // One slot: while a question waits there is no other.
    narrow: { ...stdio('conformance-v1', ['--stdio']), timeoutMs: 4_000, concurrency: 1 },
    patient: { ...stdio('conformance-v1', ['--stdio']), timeoutMs: 20_000, concurrency: 1 },
    stateful: { ...stdio('scripted-upstream', ['--stdio']), affinity: 'session' },
  },
  auth: { mode: 'none' },
  audit: { mode: 'best-effort' },
  cluster: { secret: 'bridging-bridging-bridging-bridging' },
};
const options = { capabilities: { elicitation: {} } };
const asked = { name: 'test_elicitation', arguments: { message: 'Who?' } };
const answer = { action: 'accept', content: { username: 'ada', email: 'ada@example.com' } };

const started: AsyncDisposable[] = [];
const use = <T extends AsyncDisposable>(one: T): T => {
  started.unshift(one);
  return one;
};
let nats: string;
let proxy: RoundRobinProxy;
const workers = new Map<number, { signal(signal: NodeJS.Signals): void }>();

const startOne = async (server: string) => {
  const worker = use(await startWorker(server, nats, { config }));
  workers.set(worker.pid, worker);
  return worker;
};

before(async () => {
  nats = use(await startNats()).url;
  for (const server of ['asking', 'narrow', 'patient', 'stateful', 'stateful']) await startOne(server);
  const ingresses = [use(await startIngress(nats, { config })), use(await startIngress(nats, { config }))];
  proxy = use(await startRoundRobinProxy(ingresses.map(({ ready }) => new URL(ready.mcp).origin)));
});

after(async () => {
  for (const one of started) await Promise.resolve(one[Symbol.asyncDispose]()).catch(() => undefined);
});

const at = (server: string) => `${proxy.origin}/mcp/${server}`;

/** The retry that answers the only question of `first`. */
function answered(server: string, first: RpcAnswer): Promise<RpcAnswer> {
  const { inputRequests = {}, requestState } = first.response?.result ?? {};
  const inputResponses = Object.fromEntries(Object.keys(Object(inputRequests)).map((name) => [name, answer]));
  return modern(at(server), 'tools/call', { ...asked, inputResponses, requestState }, options);
}

test('bridging - a question is answered over another ingress, once', async () => {
  verifies('bridge:held-call');
  const first = await modern(at('asking'), 'tools/call', asked, options);
  assert.equal(first.response?.result?.['resultType'], 'input_required');
  assert.match(textOf(await answered('asking', first)), /ada@example\.com/);
  const replayed = await answered('asking', first);
  assert.equal(replayed.response?.error?.code, -32602);
});

test('bridging - an agent that never comes back holds its slot until the call’s time is over', async () => {
  verifies('bridge:held-call');
  const first = await modern(at('narrow'), 'tools/call', asked, options);
  assert.equal(first.response?.result?.['resultType'], 'input_required');
  // A call has as much time as the one it waits for: it must not come at the same moment.
  await sleep(2_000);
  const began = performance.now();
  assert.match(textOf(await callTool(at('narrow'), 'test_simple_text')), /simple text/);
  assert.ok(performance.now() - began > 500, 'it waited for the slot');
  const late = await answered('narrow', first);
  assert.equal(late.response?.error?.code, -32602);
});

test('bridging - a legacy agent that cancels while it is asked gives the slot back at once', async () => {
  verifies('bridge:held-call');
  const session = await openLegacySession(at('patient'), options);
  let asks = false;
  const call = session.request('tools/call', asked, {
    id: 'leaving',
    onMessage: ({ method }) => {
      asks ||= method === 'elicitation/create';
    },
  });
  call.catch(() => undefined);
  await until('the question arrives', () => asks);
  const began = performance.now();
  await session.notify('notifications/cancelled', { requestId: 'leaving' });
  assert.match(textOf(await callTool(at('patient'), 'test_simple_text')), /simple text/);
  assert.ok(performance.now() - began < 15_000, 'long before the time of the call was over');
});

test('bridging - when the worker that holds the call dies, the answer says that it may have run', async () => {
  verifies('bridge:held-call');
  const first = await modern(at('asking'), 'tools/call', asked, options);
  const [pid] = workers.keys();
  workers.get(pid ?? 0)?.signal('SIGKILL');
  const { status, response } = await answered('asking', first);
  assert.equal(status, 200);
  assert.equal(response?.error?.code, -31007);
  assert.equal(response?.error?.data?.['executed'], 'unknown');
});

test('affinity - calls of a session meet one instance over any ingress; when it is gone one call says so', async () => {
  verifies('affinity:instance');
  const pidOf = (said: RpcAnswer) => textOf(said).split(' by ')[1] ?? '';
  const sessions = await Promise.all(Array.from({ length: 4 }, () => openLegacySession(at('stateful'))));
  const run = { name: 'run', arguments: { id: 'x' } };
  const places: string[] = [];
  for (const session of sessions) {
    const said: string[] = [];
    for (let n = 0; n < 5; n += 1) said.push(pidOf(await session.request('tools/call', run)));
    assert.equal(new Set(said).size, 1, said.join());
    places.push(said[0] ?? '');
  }
  assert.equal(new Set(places).size, 2, 'both instances have sessions');
  const child = Number(places[0]);
  process.kill(child, 'SIGKILL');
  const [session] = sessions;
  assert.ok(session);
  const lost = await until('the gateway has heard of it', async () => {
    const { response } = await session.request('tools/call', run);
    return response?.error === undefined ? undefined : response.error;
  });
  // A call may still have been sent into the pipe of the dead.
  const { code, data } = lost;
  assert.ok([-31004, -31007].includes(code), String(code));
  assert.equal(data?.['executed'], code === -31004 ? 'no' : 'unknown');
  const again: string[] = [];
  for (let n = 0; n < 4; n += 1) again.push(pidOf(await session.request('tools/call', run)));
  assert.equal(new Set(again).size, 1);
  assert.ok(again[0] !== '' && again[0] !== places[0], again.join());
});
