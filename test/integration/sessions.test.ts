import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Broker, startBroker } from '../chaos/broker.ts';
import { type Fixture, startFixture } from '../helpers/fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { type LegacySession, modern, openLegacySession, post, type RpcMessage } from '../helpers/rpc.ts';
import { readStream, type StreamReader } from '../helpers/stream-reader.ts';
import { startIngress, startWorker, type Toolbus, type WorkerReadyLine } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const alice = agentWithKey();
const bob = agentWithKey();
const secret = 'sessions-sessions-sessions-sessions';
let broker: Broker;
let notebook: Fixture;
let config: { servers: object; agents: Record<string, object>; cluster: object; audit: object };
let a: Toolbus;
let b: Toolbus;
const workers: Toolbus<WorkerReadyLine>[] = [];

before(async () => {
  broker = await startBroker();
  notebook = await startFixture('notebook');
  config = {
    servers: { notebook: { url: notebook.url, era: 'legacy' } },
    agents: { alice: alice.agent, bob: bob.agent },
    cluster: { secret },
    audit: { mode: 'best-effort' },
  };
  for (let count = 0; count < 2; count += 1) workers.push(await startWorker('notebook', broker.url, { config }));
  [a, b] = await Promise.all([startIngress(broker.url, { config }), startIngress(broker.url, { config })]);
});

after(async () => {
  await Promise.allSettled([a, b, ...workers].map((one) => one?.[Symbol.asyncDispose]()));
  await notebook?.[Symbol.asyncDispose]();
  await broker?.[Symbol.asyncDispose]();
});

function headersOf(session: LegacySession, key: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    authorization: `Bearer ${key}`,
    'mcp-session-id': session.id,
    'mcp-protocol-version': '2025-11-25',
    ...more,
  };
}

function open(ingress: Toolbus, version?: string): Promise<LegacySession> {
  const capabilities = { elicitation: {} };
  return openLegacySession(ingress.ready.mcp, { key: alice.key, capabilities, ...(version && { version }) });
}

const work = (id: string, plan: object) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: {
    name: 'notebook__work',
    arguments: { id, steps: 3, stepMs: 20, ask: false, ...plan },
    _meta: { progressToken: id },
  },
});
const isProgress = (step: number) => (message: RpcMessage) => message.params?.['progress'] === step;
const isAnswer = (id: string) => (message: RpcMessage) => message.id === id && message.method === undefined;
const isUpdate = (revision: number) => (message: RpcMessage) =>
  (message.params?.['_meta'] as { revision?: number } | undefined)?.revision === revision;

async function touch(note: number): Promise<number> {
  const answer = await fetch(new URL(`/touch?note=${note}`, notebook.url), { method: 'POST' });
  return ((await answer.json()) as { revision: number }).revision;
}

function resume(ingress: Toolbus, session: LegacySession, from: StreamReader): StreamReader {
  const lastEventId = from.lastEventId ?? assert.fail('no event id');
  return readStream(ingress.ready.mcp, headersOf(session, alice.key, { 'last-event-id': lastEventId }));
}

test('sessions - an answer goes on at another ingress after the connection broke, without loss or repetition', async () => {
  verifies('session:resume');
  const session = await open(a);
  const first = readStream(a.ready.mcp, headersOf(session, alice.key), work('go-on', { steps: 8, stepMs: 150 }));
  await first.next(isProgress(2));
  first.drop();
  await delay(200);
  const second = resume(b, session, first);
  await second.next(isProgress(5));
  second.drop();
  const third = resume(a, session, second);
  await third.next(isAnswer('go-on'));
  await third.ended;
  const all = [...first.messages, ...second.messages, ...third.messages];
  const steps = all.flatMap(({ method, params }) =>
    method === 'notifications/progress' ? [params?.['progress']] : [],
  );
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(all.filter(isAnswer('go-on')).length, 1);
  assert.equal(await resume(b, session, third).status, 405, 'nothing follows');
});

test('sessions - a question asked while the agent was away is asked where it comes back', async () => {
  verifies('session:resume', 'call:questions');
  const session = await open(a);
  const first = readStream(a.ready.mcp, headersOf(session, alice.key), work('asked', { stepMs: 100, ask: true }));
  await first.next(isProgress(1));
  first.drop();
  await delay(800);
  const second = resume(b, session, first);
  const question = await second.next(({ method }) => method === 'elicitation/create');
  const reply = { jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: { echo: 'here' } } };
  await post(b.ready.mcp, reply, { headers: headersOf(session, alice.key) });
  const { result } = await second.next(isAnswer('asked'));
  assert.match(JSON.stringify(result), /\\"echo\\":\\"here\\"/);
});

test('sessions - streams of 2025-11-25 are primed with an id and a delay, older ones are not', async () => {
  const read = async (version: string): Promise<string> => {
    const session = await open(a, version);
    const headers = headersOf(session, alice.key, { 'content-type': 'application/json' });
    const accept = 'application/json, text/event-stream';
    const body = JSON.stringify(work(`primed-${version}`, { steps: 1 }));
    return (await fetch(a.ready.mcp, { method: 'POST', headers: { ...headers, accept }, body })).text();
  };
  assert.match(await read('2025-11-25'), /^id: [\w-]+\.0\nretry: \d+\ndata: \n\nid: [\w-]+\.1\ndata: \{/);
  assert.match(await read('2025-06-18'), /^id: [\w-]+\.1\ndata: \{/);
});

test('sessions - an event id is good in its own session alone', async () => {
  verifies('session:bound');
  const session = await open(a);
  const first = readStream(a.ready.mcp, headersOf(session, alice.key), work('mine', {}));
  await first.next(isAnswer('mine'));
  const lastEventId = first.lastEventId ?? assert.fail('no event id');
  const other = await open(b);
  const foreign = await openLegacySession(b.ready.mcp, { key: bob.key });
  for (const headers of [
    headersOf(other, alice.key, { 'last-event-id': lastEventId }),
    headersOf(foreign, bob.key, { 'last-event-id': lastEventId }),
    headersOf(session, alice.key, { 'last-event-id': lastEventId.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }),
    headersOf(session, alice.key, { 'last-event-id': 'made-up' }),
  ]) {
    const refused = readStream(b.ready.mcp, headers);
    assert.equal(await refused.status, 400);
    await refused.ended;
    assert.equal(refused.messages.filter(({ method, id }) => method !== undefined || id != null).length, 0);
  }
});

test('sessions - to another principal a session is as one that never was, and DELETE ends it everywhere', async () => {
  verifies('session:bound');
  const session = await open(a);
  const standing = readStream(a.ready.mcp, headersOf(session, alice.key));
  assert.equal(await standing.status, 200);
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  for (const ingress of [a, b]) {
    const stolen = await post(ingress.ready.mcp, ping, { headers: headersOf(session, bob.key) });
    const unknown = await post(ingress.ready.mcp, ping, {
      headers: { ...headersOf(session, bob.key), 'mcp-session-id': 'never-was' },
    });
    assert.deepEqual([stolen.status, stolen.text, stolen.response], [404, unknown.text, unknown.response]);
    const remove = await fetch(ingress.ready.mcp, { method: 'DELETE', headers: headersOf(session, bob.key) });
    assert.equal(remove.status, 404);
  }
  const gone = await fetch(b.ready.mcp, { method: 'DELETE', headers: headersOf(session, alice.key) });
  assert.equal(gone.status, 200);
  await standing.ended;
  for (const ingress of [b, a]) {
    await until('the session is gone', async () => {
      const { status } = await post(ingress.ready.mcp, ping, { headers: headersOf(session, alice.key) });
      return status === 404;
    });
  }
});

test('sessions - one standalone stream on all ingresses, which moves without loss or repetition', async () => {
  verifies('session:one-stream', 'session:resume', 'notice:everywhere');
  const session = await open(a);
  const first = readStream(a.ready.mcp, headersOf(session, alice.key));
  assert.equal(await first.status, 200);
  for (const ingress of [a, b]) {
    assert.equal(await readStream(ingress.ready.mcp, headersOf(session, alice.key)).status, 409);
  }
  const subscribed = await post(
    b.ready.mcp,
    { jsonrpc: '2.0', id: 's', method: 'resources/subscribe', params: { uri: 'note://7' } },
    { headers: headersOf(session, alice.key) },
  );
  assert.deepEqual(subscribed.response?.result, {});
  const revision = await touch(7);
  await first.next(isUpdate(revision), 1_000);
  first.drop();
  await first.ended;
  await touch(7);
  await delay(600);
  const second = resume(b, session, first);
  await second.next(isUpdate(revision + 1));
  // The agent comes back while nobody has noticed that it left: the newer stream is the one.
  const third = resume(a, session, second);
  await second.ended;
  await delay(600);
  await touch(7);
  await third.next(isUpdate(revision + 2));
  await delay(300);
  const told = [first, second, third].flatMap(({ messages }) =>
    messages.filter(({ method }) => method === 'notifications/resources/updated'),
  );
  assert.equal(told.length, 3);
  third.drop();
});

test('sessions - two agents subscribed through two ingresses are told of each change once, in both eras', async () => {
  verifies('notice:everywhere');
  const session = await open(b);
  const legacy = readStream(a.ready.mcp, headersOf(session, alice.key));
  await legacy.status;
  // Two subscriptions at the same moment at two ingresses: neither may undo the other.
  await Promise.all(
    [a, b].map(({ ready }, at) =>
      post(
        ready.mcp,
        { jsonrpc: '2.0', id: `s${at}`, method: 'resources/subscribe', params: { uri: `note://1${at}` } },
        { headers: headersOf(session, alice.key) },
      ),
    ),
  );
  const listens = [a, b].map(({ ready }) => {
    const abort = new AbortController();
    const messages: RpcMessage[] = [];
    const ended = modern(
      ready.mcp,
      'subscriptions/listen',
      { notifications: { resourceSubscriptions: ['note://10', 'note://11'] } },
      { key: bob.key, signal: abort.signal, onMessage: (message) => void messages.push(message) },
    ).catch(() => undefined);
    return { abort, messages, ended };
  });
  for (const { messages } of listens) await until('acknowledged', () => messages.length > 0);
  await Promise.all([touch(10), touch(11)]);
  const streams = [legacy.messages, ...listens.map(({ messages }) => messages)];
  const updates = (messages: readonly RpcMessage[]) =>
    messages.flatMap(({ method, params }) => (method === 'notifications/resources/updated' ? [params?.['uri']] : []));
  await until('everybody is told', () => streams.every((messages) => updates(messages).length >= 2), 2_000);
  await delay(500);
  for (const messages of streams) assert.deepEqual(updates(messages).sort(), ['note://10', 'note://11']);
  for (const { abort, ended } of listens) {
    abort.abort();
    await ended;
  }
  legacy.drop();
});

test('sessions - a log level set at one ingress holds at the other', async () => {
  const session = await open(a);
  const at = async (ingress: Toolbus, id: string) => {
    const { before: messages } = await post(ingress.ready.mcp, work(id, {}), {
      headers: headersOf(session, alice.key),
    });
    return messages.filter(({ method }) => method === 'notifications/message').length;
  };
  assert.equal(await at(b, 'loud'), 3);
  const quiet = { jsonrpc: '2.0', id: 'l', method: 'logging/setLevel', params: { level: 'error' } };
  await post(a.ready.mcp, quiet, { headers: headersOf(session, alice.key) });
  await delay(200);
  assert.equal(await at(b, 'quiet'), 0);
});

test('sessions - who loses the right to a resource hears that the lists changed, and no more of the resource', async () => {
  verifies('notice:rights');
  const session = await open(a);
  const stream = readStream(a.ready.mcp, headersOf(session, alice.key));
  await stream.status;
  const subscribe = { jsonrpc: '2.0', id: 's', method: 'resources/subscribe', params: { uri: 'note://20' } };
  await post(a.ready.mcp, subscribe, { headers: headersOf(session, alice.key) });
  const listening = new AbortController();
  const heard: RpcMessage[] = [];
  const listen = modern(
    a.ready.mcp,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true, resourceSubscriptions: ['note://20'] } },
    { key: alice.key, signal: listening.signal, onMessage: (message) => void heard.push(message) },
  ).catch(() => undefined);
  await until('acknowledged', () => heard.length > 0);
  await touch(20);
  await stream.next(isUpdate(1));
  await until('the other is told too', () => heard.some(isUpdate(1)));

  a.writeConfig({ ...config, agents: { ...config.agents, alice: { ...alice.agent, allow: [] } } });
  try {
    await stream.next(({ method }) => method === 'notifications/resources/list_changed', 5_000);
    await stream.next(({ method }) => method === 'notifications/tools/list_changed', 5_000);
    await until('the other is told of its tools', () =>
      heard.some(({ method }) => method === 'notifications/tools/list_changed'),
    );
    await touch(20);
    await delay(1_000);
    assert.ok(![...stream.messages, ...heard].some(isUpdate(2)), 'it is not told of what it may not see');
  } finally {
    a.writeConfig(config);
    listening.abort();
    await listen;
    stream.drop();
  }
  await until('its rights are back', async () => {
    const list = { jsonrpc: '2.0', id: 1, method: 'resources/list' };
    const { response } = await post(a.ready.mcp, list, { headers: headersOf(session, alice.key) });
    return ((response?.result?.['resources'] as unknown[] | undefined)?.length ?? 0) > 0;
  });
});

test('sessions - of HTTP+SSE take their messages anywhere, and end cleanly with the ingress that holds the stream', async () => {
  verifies('agent:http-sse');
  const c = await startIngress(broker.url, { config });
  const at = (ingress: Toolbus, path: string) => new URL(path, ingress.ready.mcp).href;
  const abort = new AbortController();
  const authorization = `Bearer ${alice.key}`;
  const stream = await fetch(at(c, '/sse'), {
    headers: { authorization, accept: 'text/event-stream' },
    signal: abort.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of stream.body ?? []) text += Buffer.from(chunk).toString('utf8');
  })().catch(() => undefined);
  const path = await until('the endpoint is named', () => /data: (\/messages\S+)/.exec(text)?.[1]);
  const say = (ingress: Toolbus, body: object) => post(at(ingress, path), body, { key: alice.key });
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'old', version: '1' } };
  assert.equal((await say(a, { jsonrpc: '2.0', id: 0, method: 'initialize', params })).status, 202);
  assert.equal((await say(b, work('relayed', {}))).status, 202);
  await until('the answer comes on the stream', () => text.includes('"id":"relayed","result"'));
  c.signal('SIGKILL');
  await reading;
  await until('a message for the dead stream is refused', async () => {
    return (await say(a, { jsonrpc: '2.0', id: 2, method: 'ping' })).status === 404;
  });
  await c[Symbol.asyncDispose]().catch(() => undefined);
});

test('sessions - the ingress that answers is killed: the stream ends elsewhere with upstream_lost, the session goes on', async () => {
  verifies('session:ingress-killed', 'session:resume');
  const c = await startIngress(broker.url, { config });
  const session = await open(c);
  const first = readStream(c.ready.mcp, headersOf(session, alice.key), work('lost', { steps: 50, stepMs: 200 }));
  await first.next(isProgress(2));
  c.signal('SIGKILL');
  await first.ended;
  const second = resume(a, session, first);
  const { error } = await second.next(isAnswer('lost'));
  assert.equal(error?.code, -31007);
  assert.deepEqual([error?.data?.['reason'], error?.data?.['executed']], ['upstream_lost', 'unknown']);
  await second.ended;
  const third = resume(b, session, second);
  assert.equal(await third.status, 405, 'the error was the end of the stream, and is told once');
  const ping = await post(
    b.ready.mcp,
    { jsonrpc: '2.0', id: 'p', method: 'ping' },
    { headers: headersOf(session, alice.key) },
  );
  assert.deepEqual(ping.response?.result, {});
  await c[Symbol.asyncDispose]().catch(() => undefined);
});

test('sessions - who is subscribed is told when nobody heard a change, because every worker of the server was dead', async () => {
  verifies('notice:everywhere');
  const session = await open(a);
  const stream = readStream(b.ready.mcp, headersOf(session, alice.key));
  await stream.status;
  const subscribe = { jsonrpc: '2.0', id: 's', method: 'resources/subscribe', params: { uri: 'note://30' } };
  await post(a.ready.mcp, subscribe, { headers: headersOf(session, alice.key) });
  for (const worker of workers) worker.signal('SIGKILL');
  await Promise.all(workers.map(({ exited }) => exited));
  await touch(30);
  workers.push(await startWorker('notebook', broker.url, { config }));
  const isOfNote = ({ method, params }: RpcMessage) =>
    method === 'notifications/resources/updated' && params?.['uri'] === 'note://30';
  await stream.next(isOfNote, 20_000);
  await delay(1_000);
  const revision = await touch(30);
  await stream.next(isUpdate(revision));
  assert.equal(stream.messages.filter(isOfNote).length, 2);
  stream.drop();
});
