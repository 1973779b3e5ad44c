import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { type Fixture, startFixture } from '../helpers/fixture.ts';
import { callTool, modern, post, type RpcMessage, readMessages, textOf } from '../helpers/rpc.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-modern-'));
const journal = join(dir, 'journal');
const fixtures: Fixture[] = [];
let toolbus: Toolbus;
let mcp: string;
let key: string | undefined;

before(async () => {
  fixtures.push(
    await startFixture('conformance-v2'),
    await startFixture('scripted-upstream', { env: { JOURNAL: journal } }),
  );
  const [fixture, scripted] = fixtures.map(({ url }) => ({ url }));
  toolbus = await startToolbus({ config: { servers: { fixture, scripted: { ...scripted, timeoutMs: 1500 } } } });
  ({ mcp, key } = toolbus.ready);
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  for (const fixture of fixtures) await fixture[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

test('modern - discover names the versions and capabilities', async () => {
  verifies('agent:modern');
  const { status, response } = await modern(mcp, 'server/discover', {}, { key });
  assert.equal(status, 200);
  assert.equal(response?.result?.['resultType'], 'complete');
  assert.ok((response?.result?.['supportedVersions'] as string[]).includes('2026-07-28'));
  assert.equal(typeof response?.result?.['ttlMs'], 'number');
});

test('modern - lists carry cache hints and the same order twice', async () => {
  const [first, second] = [await modern(mcp, 'tools/list', {}, { key }), await modern(mcp, 'tools/list', {}, { key })];
  assert.deepEqual(first.response?.result?.['tools'], second.response?.result?.['tools']);
  assert.ok(['public', 'private'].includes(String(first.response?.result?.['cacheScope'])));
});

test('modern - a call is answered with its id, resultType and Server-Timing', async () => {
  verifies('call:server-timing');
  const answer = await callTool(mcp, 'scripted__run', { id: 'timed', delayMs: 20 }, { key, id: 'a string id' });
  assert.equal(answer.status, 200);
  assert.equal(answer.response?.id, 'a string id');
  assert.equal(answer.response?.result?.['resultType'], 'complete');
  assert.match(textOf(answer), /^timed by/);
  const timing = answer.headers.get('server-timing') ?? '';
  const [, gateway, upstream] = /gateway;dur=([\d.]+).*upstream;dur=([\d.]+)/.exec(timing) ?? [];
  assert.ok(Number(gateway) >= 0, `gateway in ${timing}`);
  assert.ok(Number(upstream) >= 15, `upstream in ${timing}`);
});

test('modern - progress comes on the stream of the call with the agent’s own token', async () => {
  verifies('call:progress');
  const answer = await callTool(mcp, 'scripted__run', { progress: 5 }, { key, meta: { progressToken: 'my token' } });
  const params = answer.before.map((message) => message.params);
  assert.deepEqual(
    params.map((each) => [each?.['progressToken'], each?.['progress']]),
    [1, 2, 3, 4, 5].map((step) => ['my token', step]),
  );
  assert.ok(answer.response?.result);
});

test('modern - hanging up cancels the call at the upstream', async () => {
  verifies('call:cancel');
  const abort = new AbortController();
  const call = callTool(mcp, 'scripted__run', { id: 'hang-up', hang: true }, { key, signal: abort.signal });
  call.catch(() => undefined);
  const has = (what: string) => readJournal(journal).some((entry) => entry.id === 'hang-up' && entry.what === what);
  await until('the call starts', () => has('start'));
  abort.abort();
  await assert.rejects(call);
  await until('the upstream hears of it', () => has('cancelled'));
});

test('modern - unknown and un-prefixed tools answer -32602', async () => {
  verifies('error:unknown-tool');
  for (const name of ['scripted__nothing', 'nobody__run', 'run']) {
    const { response } = await callTool(mcp, name, {}, { key });
    assert.equal(response?.error?.code, -32602, name);
  }
});

test('modern - a call beyond its deadline answers upstream_timeout', async () => {
  verifies('error:upstream-timeout', 'error:shape');
  const { status, response } = await callTool(mcp, 'scripted__run', { hang: true }, { key });
  assert.equal(status, 200);
  assert.equal(response?.error?.code, -31006);
  const { callId, reason, executed } = response?.error?.data ?? {};
  assert.deepEqual({ reason, executed }, { reason: 'upstream_timeout', executed: 'unknown' });
  assert.equal(typeof callId, 'string');
});

test('modern - headers that differ from the body are refused', async () => {
  const differs = await modern(mcp, 'tools/list', {}, { key, headers: { 'mcp-method': 'prompts/list' } });
  assert.equal(differs.status, 400);
  assert.equal(differs.response?.error?.code, -32020);
  const version = await modern(mcp, 'tools/list', {}, { key, headers: { 'mcp-protocol-version': '2025-11-25' } });
  assert.equal(version.status, 400);
  assert.equal(version.response?.error?.code, -32020);
});

test('modern - unknown methods answer 404, batches and broken JSON 400, other media types 415', async () => {
  const unknown = await modern(mcp, 'no/such', {}, { key });
  assert.deepEqual([unknown.status, unknown.response?.error?.code], [404, -32601]);
  const broken = await post(mcp, '{"jsonrpc": ', { key, headers: { 'mcp-protocol-version': '2026-07-28' } });
  assert.deepEqual([broken.status, broken.response?.error?.code], [400, -32700]);
  const media = await post(mcp, 'hello', { key, headers: { 'content-type': 'text/plain' } });
  assert.equal(media.status, 415);
});

test('modern - the version of the future is refused with those we have', async () => {
  const meta = { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' };
  const headers = { 'mcp-protocol-version': '2099-01-01' };
  const { status, response } = await modern(mcp, 'tools/list', {}, { key, meta, headers });
  assert.deepEqual([status, response?.error?.code], [400, -32022]);
  assert.ok((response?.error?.data?.['supported'] as string[]).includes('2026-07-28'));
});

test('modern - questions come as input_required and its state goes back', async () => {
  verifies('call:questions');
  const url = `${mcp}/fixture`;
  const options = { key, capabilities: { elicitation: {} } };
  const name = 'test_input_required_result_multi_round';
  const params = { name, arguments: {} };
  let answer = await modern(url, 'tools/call', params, options);
  for (const inputResponses of [
    { step1: { action: 'accept', content: { name: 'Ada' } } },
    { step2: { action: 'accept', content: { color: 'green' } } },
  ]) {
    assert.equal(answer.response?.result?.['resultType'], 'input_required');
    const requestState = answer.response?.result?.['requestState'];
    answer = await modern(url, 'tools/call', { ...params, inputResponses, requestState }, options);
  }
  assert.equal(textOf(answer), 'Your color is green');
});

test('modern - a changed tool list reaches a listener, and the next list', async () => {
  verifies('catalog:list-changed');
  const abort = new AbortController();
  const seen: RpcMessage[] = [];
  const listening = modern(
    mcp,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true } },
    { key, id: 'listener', signal: abort.signal, onMessage: (message) => void seen.push(message) },
  ).catch(() => undefined);
  await until('the subscription is acknowledged', () => seen[0]?.method === 'notifications/subscriptions/acknowledged');
  await callTool(mcp, 'scripted__change_tools', {}, { key });
  const changed = await until('the change arrives', () =>
    seen.find(({ method }) => method === 'notifications/tools/list_changed'),
  );
  const meta = changed.params?.['_meta'] as Record<string, unknown>;
  assert.equal(meta['io.modelcontextprotocol/subscriptionId'], 'listener');
  const { response } = await modern(mcp, 'tools/list', {}, { key });
  const names = (response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  assert.ok(names.includes('scripted__extra'));
  abort.abort();
  await listening;
});

test('modern - a large result arrives unchanged', async () => {
  verifies('call:large-result');
  const size = 3 * 1024 * 1024;
  const answer = await callTool(mcp, 'scripted__run', { size }, { key });
  const text = textOf(answer);
  assert.equal(text.length, size);
  assert.equal(text.slice(0x100000, 0x100007), '0100000');
  assert.equal(text.slice(0x2ffff8, 0x2fffff), '02ffff8');
});

test('modern - a request without a key, or with a wrong one, answers 401', async () => {
  verifies('agent:authentication');
  assert.equal((await modern(mcp, 'tools/list')).status, 401);
  assert.equal((await modern(mcp, 'tools/list', {}, { key: 'wrong' })).status, 401);
});

test('modern - a foreign Origin answers 403', async () => {
  verifies('agent:origin-host');
  const { status } = await modern(mcp, 'tools/list', {}, { key, headers: { origin: 'http://evil.example' } });
  assert.equal(status, 403);
});

test('modern - GET without a session and paths of nothing are refused', async () => {
  const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' };
  const get = await fetch(mcp, { headers });
  assert.ok([400, 404, 405].includes(get.status), String(get.status));
  await readMessages(get, () => undefined);
  const nothing = await modern(mcp.replace('/mcp', '/nothing'), 'tools/list', {}, { key });
  assert.equal(nothing.status, 404);
  const noServer = await modern(`${mcp}/nobody`, 'tools/list', {}, { key });
  assert.equal(noServer.status, 404);
});
