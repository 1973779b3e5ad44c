import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readJournal } from '../fixtures/scripted/journal.ts';
import { answers } from '../helpers/agents.ts';
import { type Fixture, fixtureCommand, startFixture } from '../helpers/fixture.ts';
import { modernLine, startShim, stdioAgents } from '../helpers/stdio.ts';
import { runToolbus, startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-stdio-'));
const journal = join(dir, 'journal');
let modern: Fixture;
let v1: Fixture;
let toolbus: Toolbus;

before(async () => {
  modern = await startFixture('conformance-v2');
  v1 = await startFixture('conformance-v1');
  toolbus = await startToolbus({
    config: {
      servers: {
        modern: { url: modern.url },
        v1: { url: v1.url },
        scripted: { ...fixtureCommand('scripted-upstream', ['--stdio']), env: { JOURNAL: journal } },
      },
    },
  });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  await modern?.[Symbol.asyncDispose]();
  await v1?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const at = (name = '') => ({ url: `${toolbus.ready.mcp}${name}`, key: toolbus.ready.key });
const happened = (id: string, what: string) =>
  readJournal(journal).some((entry) => entry.id === id && entry.what === what);
const textIn = (message: { result?: Readonly<Record<string, unknown>> }) =>
  (message.result?.['content'] as { text: string }[] | undefined)?.[0]?.text ?? '';

for (const { name, open } of stdioAgents) {
  describe(`stdio with ${name}`, () => {
    test('lists and calls tools, prompts and resources', async () => {
      verifies('stdio:eras');
      await using agent = await open(at());
      const tools = await agent.tools();
      for (const tool of ['modern__test_simple_text', 'v1__test_simple_text', 'scripted__run'])
        assert.ok(tools.includes(tool));
      assert.match((await agent.call('scripted__run', { id: 'hello' })).text, /^hello by/);
      await assert.rejects(agent.call('scripted__nothing'), { code: -32602 });
    });

    test('progress, questions, prompts and resources of servers of both eras', async () => {
      for (const server of ['modern', 'v1']) {
        await using agent = await open(at(`/${server}`));
        assert.ok((await agent.prompts()).includes('test_simple_prompt'));
        assert.match(await agent.read('test://static-text'), /content of the static text resource/);
        const seen: number[] = [];
        await agent.call('test_tool_with_progress', {}, { onProgress: (n) => void seen.push(n) });
        assert.deepEqual(seen, [0, 50, 100]);
        assert.match(
          (await agent.call('test_elicitation', { message: 'Who?' })).text,
          new RegExp(answers.content.email),
        );
        assert.match((await agent.call('test_sampling', { prompt: 'Say' })).text, new RegExp(answers.sample));
      }
    });

    test('a cancelled call is cancelled at the server', async () => {
      await using agent = await open(at('/scripted'));
      const id = `cancel ${name}`;
      const abort = new AbortController();
      const call = agent.call('run', { id, hang: true }, { signal: abort.signal });
      call.catch(() => undefined);
      await until('the call starts', () => happened(id, 'start'));
      abort.abort(new Error('the test cancels'));
      await assert.rejects(call);
      await until('the server hears of it', () => happened(id, 'cancelled'));
      assert.match((await agent.call('run', { id: 'after' })).text, /^after by/);
    });
  });
}

test('stdio - lines that are no JSON-RPC are answered, and nothing else stands on stdout', async () => {
  verifies('stdio:clean-stdout');
  await using shim = startShim({ ...at(), args: ['--log-level', 'trace'] });
  shim.write('this is no JSON');
  shim.write('');
  shim.write('42');
  await until('both are answered', () => shim.messages.length === 2);
  assert.deepEqual(
    shim.messages.map(({ id, error }) => [id, error?.code]),
    [
      [null, -32700],
      [null, -32600],
    ],
  );
  await shim.initialize();
  assert.match(
    textIn(await shim.request('tools/call', { name: 'scripted__run', arguments: { id: 'x' } }, 'text id')),
    /^x by/,
  );
});

test('stdio - what is in flight is answered before it ends with stdin, and its session ends too', async () => {
  verifies('stdio:clean-stdout');
  await using shim = startShim(at());
  await shim.initialize();
  const slow = shim.request('tools/call', { name: 'scripted__run', arguments: { id: 'late', delayMs: 700 } });
  assert.deepEqual(await shim.end(), { code: 0, signal: null });
  assert.match(textIn(await slow), /^late by/);
});

test('stdio - requests that come together with initialize wait for the session', async () => {
  await using shim = startShim(at('/scripted'));
  const clientInfo = { name: 'raw', version: '1' };
  const opening = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  const first = shim.request('initialize', opening, 0);
  const list = shim.request('tools/list', {}, 1);
  shim.write({ jsonrpc: '2.0', method: 'notifications/initialized' });
  assert.equal((await first).result?.['protocolVersion'], '2025-06-18');
  assert.ok(Array.isArray((await list).result?.['tools']));
});

test('stdio - large messages pass, in one line each; what the gateway refuses is an error', async () => {
  await using shim = startShim(at('/scripted'));
  await shim.initialize();
  const size = 12 * 1024 * 1024;
  const large = await shim.request('tools/call', { name: 'run', arguments: { id: 'large', size } });
  assert.ok(textIn(large).length >= size);
  const refused = await shim.request('tools/call', { name: 'run', arguments: { id: 'x'.repeat(3 * 1024 * 1024) } });
  assert.match(refused.error?.message ?? '', /limits\.bodyBytes/);
  assert.equal(refused.error?.data?.['httpStatus'], 413);
  assert.match(textIn(await shim.request('tools/call', { name: 'run', arguments: { id: 'still' } })), /^still by/);
});

test('stdio - arguments that a schema wants in headers are sent there, listed before or not', async () => {
  await using shim = startShim(at());
  const params = { name: 'modern__test_header_mirroring', arguments: { region: 'eu-wést' } };
  shim.write(modernLine(1, 'tools/list'));
  const { tools } = ((await shim.response(1)).result ?? {}) as { tools: { name: string; inputSchema: object }[] };
  const mirrored = tools.find(({ inputSchema }) => JSON.stringify(inputSchema).includes('x-mcp-header'));
  assert.ok(mirrored, 'a tool asks for a header');
  const call = (id: number) => modernLine(id, 'tools/call', { ...params, name: mirrored.name });
  shim.write(call(2));
  assert.equal((await shim.response(2)).error, undefined);
  await using fresh = startShim(at());
  fresh.write(call(3));
  assert.equal((await fresh.response(3)).error, undefined, 'it looks the schema up when the gateway misses the header');
});

test('stdio - a wrong key is a JSON-RPC error with a hint, and exit code 3', async () => {
  verifies('stdio:clean-stdout');
  await using shim = startShim({ ...at(), key: 'tb_wrong' });
  const answer = await shim.initialize();
  assert.equal(answer.id, 0);
  assert.match(answer.error?.message ?? '', /API key/);
  assert.equal(answer.error?.data?.['httpStatus'], 401);
  assert.match(String(answer.error?.data?.['hint']), /TOOLBUS_API_KEY/);
  assert.equal((await shim.end()).code, 3);
  assert.match(shim.logs.join('\n'), /HTTP 401/);
  assert.doesNotMatch(shim.logs.join('\n'), /tb_wrong/);
});

test('stdio - an initialize that its client cancels is answered, also when it is refused', async () => {
  verifies('stdio:clean-stdout');
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } };
  for (const key of ['tb_wrong', toolbus.ready.key]) {
    await using shim = startShim({ ...at(), key });
    const answer = shim.request('initialize', params, 7);
    shim.write(cancelled);
    const { error, result } = await answer;
    assert.equal(error?.data?.['httpStatus'], key === 'tb_wrong' ? 401 : undefined);
    assert.equal(result === undefined, key === 'tb_wrong');
  }
});

test('stdio - a key file that is replaced is read again', async () => {
  const file = join(dir, 'key');
  writeFileSync(file, 'tb_old\n');
  await using shim = startShim({ url: toolbus.ready.mcp, args: ['--key-file', file] });
  assert.equal((await shim.initialize()).error?.data?.['httpStatus'], 401);
  writeFileSync(file, `${toolbus.ready.key}\n`);
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const opened = await shim.request('initialize', params);
  assert.ok(opened.result?.['serverInfo'], JSON.stringify(opened));
});

test('stdio - an endpoint that nobody listens on is a JSON-RPC error, and exit code 4', async () => {
  await using shim = startShim({ url: 'http://127.0.0.1:9/mcp', args: ['--wait', '0.3'] });
  const answer = await shim.initialize();
  assert.deepEqual([answer.error?.code, answer.error?.data?.['executed']], [-31009, 'no']);
  assert.equal((await shim.end()).code, 4);
});

test('stdio - bad flags exit 2 and write nothing to stdout', async () => {
  const cases = [
    ['stdio', '--url', 'ftp://127.0.0.1/mcp'],
    ['stdio', '--url', 'http://user:secret@127.0.0.1/mcp'],
    ['stdio', '--url', 'http://127.0.0.1:9/mcp', '--key-file', join(dir, 'missing')],
    ['stdio', '--url', 'http://127.0.0.1:9/mcp', '--wait', 'long'],
    ['stdio', '--data-dir', dir],
  ];
  for (const args of cases) {
    const { code, stdout, stderr } = await runToolbus(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /secret/);
  }
});

test('stdio - an answer whose stream breaks is resumed where the server can', async () => {
  await using shim = startShim({ url: v1.url });
  await shim.initialize();
  const answer = await shim.request('tools/call', { name: 'test_reconnection', arguments: {} });
  assert.equal(answer.error, undefined);
  assert.notEqual(textIn(answer), '');
});
