import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Fixture, startFixture } from '../helpers/fixture.ts';
import { openLegacySession, post, type RpcMessage, readMessages, textOf } from '../helpers/rpc.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const fixtures: Fixture[] = [];
let toolbus: Toolbus;
let mcp: string;
let key: string | undefined;

before(async () => {
  fixtures.push(await startFixture('conformance-v1'), await startFixture('scripted-upstream'));
  const [fixture, scripted] = fixtures.map(({ url }) => ({ url }));
  toolbus = await startToolbus({ config: { servers: { fixture, scripted } } });
  ({ mcp, key } = toolbus.ready);
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  for (const fixture of fixtures) await fixture[Symbol.asyncDispose]();
});

for (const version of ['2025-11-25', '2025-06-18', '2025-03-26']) {
  test(`legacy ${version} - initialize, list, call, delete`, async () => {
    verifies('agent:legacy');
    const session = await openLegacySession(mcp, { key, version });
    assert.equal(session.result['protocolVersion'], version);
    assert.deepEqual((await session.request('ping')).response?.result, {});
    const { response } = await session.request('tools/list');
    assert.ok((response?.result?.['tools'] as { name: string }[]).some(({ name }) => name === 'scripted__run'));
    const call = await session.request('tools/call', { name: 'scripted__run', arguments: { id: version } }, { id: 77 });
    assert.equal(call.response?.id, 77);
    assert.match(textOf(call), new RegExp(`^${version} by`));
    assert.ok((await session.close()) < 300);
    assert.equal((await session.request('ping')).status, 404);
  });
}

test('legacy 2025-03-26 - a batch is answered, request by request', async () => {
  const session = await openLegacySession(mcp, { key, version: '2025-03-26' });
  const answer = await session.post([
    { jsonrpc: '2.0', id: 'a', method: 'ping' },
    { jsonrpc: '2.0', id: 'b', method: 'tools/call', params: { name: 'scripted__run', arguments: { id: 'batched' } } },
  ]);
  const responses = [...answer.before, answer.response].flat() as RpcMessage[];
  assert.deepEqual(responses.map(({ id }) => id).sort(), ['a', 'b']);
});

test('legacy 2025-11-25 - a batch is refused', async () => {
  const session = await openLegacySession(mcp, { key });
  assert.equal((await session.post([{ jsonrpc: '2.0', id: 'a', method: 'ping' }])).status, 400);
});

test('legacy - an unknown version is answered with the latest legacy one', async () => {
  const session = await openLegacySession(mcp, { key, version: '1999-01-01' }).catch((error: Error) => error);
  if (session instanceof Error) assert.fail(session.message);
  assert.equal(session.result['protocolVersion'], '2025-11-25');
});

test('legacy - an unknown session answers 404, a missing one 400', async () => {
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  const version = { 'mcp-protocol-version': '2025-11-25' };
  const unknown = await post(mcp, list, { key, headers: { ...version, 'mcp-session-id': 'made-up' } });
  assert.equal(unknown.status, 404);
  assert.equal((await post(mcp, list, { key, headers: version })).status, 400);
});

test('legacy - a question arrives on the stream of the call and is answered by a POST', async () => {
  verifies('call:questions');
  const session = await openLegacySession(`${mcp}/fixture`, { key, capabilities: { elicitation: {} } });
  const asked: RpcMessage[] = [];
  const call = session.request(
    'tools/call',
    { name: 'test_elicitation', arguments: { message: 'Who?' } },
    { onMessage: (message) => void (message.method === 'elicitation/create' && asked.push(message)) },
  );
  const question = await until('the question arrives', () => asked[0]);
  const result = { action: 'accept', content: { username: 'ada', email: 'ada@example.com' } };
  const accepted = await session.post({ jsonrpc: '2.0', id: question.id, result });
  assert.equal(accepted.status, 202);
  assert.match(textOf(await call), /ada@example\.com/);
});

test('legacy - log messages follow the level of the session', async () => {
  const session = await openLegacySession(`${mcp}/fixture`, { key });
  const logsOf = async (): Promise<number> => {
    const { before: messages } = await session.request('tools/call', { name: 'test_tool_with_logging', arguments: {} });
    return messages.filter(({ method }) => method === 'notifications/message').length;
  };
  await session.request('logging/setLevel', { level: 'debug' });
  assert.equal(await logsOf(), 3);
  await session.request('logging/setLevel', { level: 'error' });
  assert.equal(await logsOf(), 0);
});

test('legacy - list_changed comes on the GET stream', async () => {
  verifies('catalog:list-changed');
  const session = await openLegacySession(mcp, { key });
  const abort = new AbortController();
  const seen: RpcMessage[] = [];
  const stream = await fetch(mcp, {
    headers: {
      authorization: `Bearer ${key}`,
      accept: 'text/event-stream',
      'mcp-session-id': session.id,
      'mcp-protocol-version': '2025-11-25',
    },
    signal: abort.signal,
  });
  assert.equal(stream.status, 200);
  const reading = readMessages(stream, (message) => void seen.push(message)).catch(() => undefined);
  await session.request('tools/call', { name: 'scripted__change_tools', arguments: {} });
  await until('the change arrives', () => seen.some(({ method }) => method === 'notifications/tools/list_changed'));
  abort.abort();
  await reading;
});

test('legacy - errors of the gateway keep their shape', async () => {
  verifies('error:unknown-tool');
  const session = await openLegacySession(mcp, { key });
  const { response } = await session.request('tools/call', { name: 'scripted__nothing', arguments: {} });
  assert.equal(response?.error?.code, -32602);
});
