import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { callTool, modern, post, textOf } from '../helpers/rpc.ts';
import { runToolbus, startToolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { dialects, type Talk } from './dialects.ts';
import { echoTool, hostileServer } from './hostile.ts';
import { assertNoStall } from './slowest.ts';

const strict = echoTool('strict', {
  inputSchema: {
    type: 'object',
    properties: {
      path: { type: 'string' },
      count: { type: 'integer', maximum: 9 },
      word: { type: 'string', pattern: '^(a+)+$' },
    },
    required: ['path'],
    additionalProperties: false,
  },
});
const bomb = () => {
  const $defs: Record<string, object> = { d0: { type: 'string' } };
  for (let at = 1; at <= 28; at += 1)
    $defs[`d${at}`] = { allOf: [{ $ref: `#/$defs/d${at - 1}` }, { $ref: `#/$defs/d${at - 1}` }] };
  return { type: 'object', properties: { a: { $ref: '#/$defs/d28' } }, $defs };
};

test('validation - arguments that do not fit are a result for the model, in every revision and transport', async () => {
  verifies('validation:arguments');
  verifies('validation:integers');
  using upstream = hostileServer({ tools: [strict, echoTool('open')] });
  await using toolbus = await startToolbus({ config: { servers: { h: upstream.server } } });
  const { origin } = new URL(toolbus.ready.mcp);
  const headers = { authorization: `Bearer ${toolbus.ready.key}` };
  let done = 0;
  for (const dialect of dialects) {
    const talk = (await dialect.open(origin, headers)) as Talk;
    const call = async (name: string, args: unknown) => {
      const { message } = await talk.ask('tools/call', { name, ...(args === undefined ? {} : { arguments: args }) });
      const result = message?.result as { isError?: boolean; content?: { text: string }[] } | undefined;
      return { isError: result?.isError === true, text: result?.content?.[0]?.text ?? '', error: message?.error };
    };
    const wrong = await call('h__strict', { count: 10, extra: true });
    assert.ok(wrong.isError, dialect.name);
    assert.match(wrong.text, /^Invalid arguments for h__strict; the tool was not called\.$/m);
    assert.match(wrong.text, /^- \/path: is required$/m);
    assert.match(wrong.text, /^- \/count: must be <= 9$/m);
    assert.match(wrong.text, /^- \/extra: is not allowed$/m);
    assert.match((await call('h__strict', undefined)).text, /\/path: is required/);
    assert.equal((await call('h__strict', [])).error?.code, -32602);
    assert.equal(upstream.calls().length, done, `${dialect.name}: the server was not called`);

    const big = await call('h__open', JSON.parse('{"deep":[{"id":9007199254740993}]}'));
    assert.ok(big.isError, dialect.name);
    assert.match(big.text, /\/deep\/0\/id: is an integer beyond 2\^53/);
    assert.equal(upstream.calls().length, done);

    assert.equal((await call('h__strict', { path: 'a', count: 9 })).text, '{"path":"a","count":9}', dialect.name);
    assert.equal((await call('h__open', undefined)).isError, false);
    done += 2;
    assert.equal(upstream.calls().length, done);
    talk.close();
  }
});

test('validation - a big JSON-RPC id and text that is not UTF-8 are refused before anything reads them', async () => {
  using upstream = hostileServer({ tools: [echoTool('open')] });
  await using toolbus = await startToolbus({ config: { servers: { h: upstream.server } } });
  const { mcp, key } = toolbus.ready;
  const big = await post(mcp, '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list","params":{}}', { key });
  assert.deepEqual([big.status, big.response?.error?.code], [400, -32600]);
  const answer = await fetch(mcp, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: Buffer.concat([
      Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]),
  });
  assert.equal(answer.status, 400);
  assert.equal(((await answer.json()) as { error: { code: number } }).error.code, -32700);
});

test('validation - an unusable schema takes its tool away and nothing else; list, log and metrics say so', async () => {
  verifies('validation:quarantine');
  let canaries = 0;
  const canary = createServer(() => {
    canaries += 1;
  });
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  const remote = `http://127.0.0.1:${(canary.address() as AddressInfo).port}/schema.json`;
  const schema = (properties: object) => ({ inputSchema: { type: 'object', properties } });
  using upstream = hostileServer({
    tools: [
      echoTool('first'),
      echoTool('bomb', { inputSchema: bomb() }),
      echoTool('remote', schema({ a: { $ref: remote } })),
      echoTool('old', { inputSchema: { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' } }),
      echoTool('wrong', schema({ a: { type: 'strng' } })),
      echoTool('answer', { outputSchema: { type: 'object', properties: { a: { $ref: remote } } } }),
      echoTool('draft7', { inputSchema: { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' } }),
      echoTool('last'),
    ],
  });
  await using toolbus = await startToolbus({
    config: { servers: { h: upstream.server } },
    args: ['--log-level', 'warn'],
  });
  const { mcp, key, admin } = toolbus.ready;
  const list = await modern(mcp, 'tools/list', {}, { key });
  const names = (list.response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ['h__first', 'h__draft7', 'h__last']);
  assert.equal((await callTool(mcp, 'h__bomb', { a: 'x' }, { key })).response?.error?.code, -32602);

  const listed = await runToolbus([
    'tools',
    'ls',
    '--all',
    '--json',
    '--config',
    toolbus.configFile,
    '--nats',
    toolbus.ready.nats,
  ]);
  const rows = (JSON.parse(listed.stdout) as { tools: { name: string; status: string; reason?: string }[] }).tools;
  const reasons = new Map(
    rows.filter(({ status }) => status === 'quarantined').map(({ name, reason }) => [name, reason]),
  );
  assert.match(reasons.get('h__bomb') ?? '', /apply more than 2000 subschemas/);
  assert.match(reasons.get('h__remote') ?? '', /never fetched/);
  assert.match(reasons.get('h__old') ?? '', /dialect not supported/);
  assert.match(reasons.get('h__wrong') ?? '', /"type"/);
  assert.match(reasons.get('h__answer') ?? '', /outputSchema/);
  assert.equal(reasons.size, 5);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  assert.match(metrics, /toolbus_tools_withheld\{server="h",why="quarantined"\} 5/);
  assert.equal(toolbus.logs.filter((line) => line.includes('a definition is kept from agents')).length, 5);
  assert.equal(canaries, 0);
  canary.close();
});

test('validation - an evil pattern with 100 kB of text is answered at once, and others do not wait', async () => {
  using upstream = hostileServer({ tools: [strict, echoTool('open')] });
  await using toolbus = await startToolbus({ config: { servers: { h: upstream.server } } });
  const { mcp, key } = toolbus.ready;
  await callTool(mcp, 'h__strict', { path: 'a' }, { key });
  const word = `${'a'.repeat(100_000)}!`;
  await assertNoStall(toolbus, 'h__open', async () => {
    const begun = performance.now();
    const evil = await Promise.all(
      Array.from({ length: 5 }, () => callTool(mcp, 'h__strict', { path: 'a', word }, { key })),
    );
    for (const one of evil) assert.match(textOf(one), /\/word: must match pattern/);
    // A backtracking engine takes 5 s for 27 characters and twice that for each one more.
    assert.ok(performance.now() - begun < 10_000);
  });
});

test('rules - what breaks a rule never reaches the server', async () => {
  verifies('rules:enforced');
  using upstream = hostileServer({ tools: [echoTool('read_file'), echoTool('fetch'), echoTool('query')] });
  const rules = {
    'read_*': { path: { root: '/data' } },
    fetch: { url: { hosts: ['example.com'] } },
    '*': { '*': { deny: ['(?i)drop\\s+table'] } },
  };
  await using toolbus = await startToolbus({ config: { servers: { h: { ...upstream.server, rules } } } });
  const { mcp, key } = toolbus.ready;
  const refused: readonly (readonly [string, object, RegExp])[] = [
    ['h__read_file', { path: '/data/../etc/passwd' }, /\/path: must stay under \/data \(rule root\)/],
    ['h__read_file', { path: '/data/%2e%2e/etc/passwd' }, /\/path: must stay under/],
    ['h__fetch', { url: 'https://example.com@evil.test/' }, /\/url: names a user .*\(rule hosts\)/],
    [
      'h__query',
      { sql: ['select 1', 'DROP  TABLE users'] },
      /\/sql\/1: holds what the operator forbids \(rule deny 1\)/,
    ],
    ['h__query', { sql: `${'x'.repeat(200_000)} drop table x` }, /\/sql: holds what the operator forbids/],
  ];
  for (const [name, args, why] of refused) {
    const answer = await callTool(mcp, name, args, { key });
    assert.equal(answer.response?.result?.['isError'], true, name);
    assert.match(textOf(answer), why);
  }
  assert.deepEqual(upstream.calls(), []);
  assert.equal(textOf(await callTool(mcp, 'h__read_file', { path: '/data/a' }, { key })), '{"path":"/data/a"}');
  // The bare endpoint has the same rules.
  assert.equal(
    (await callTool(`${mcp}/h`, 'read_file', { path: '/etc' }, { key })).response?.result?.['isError'],
    true,
  );
  assert.equal(upstream.calls().length, 1);
});

test('rules - a pattern that cannot be compiled is a mistake of the configuration', async () => {
  verifies('rules:config');
  const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
  const dir = mkdtempSync('/tmp/toolbus-rules-');
  const file = `${dir}/toolbus.yaml`;
  writeFileSync(
    file,
    'servers:\n  h:\n    command: x\n    rules:\n      "*":\n        q:\n          deny: ["fine", "(?=look)"]\n',
  );
  const checked = await runToolbus(['check', '--config', file]);
  rmSync(dir, { recursive: true });
  assert.equal(checked.code, 2);
  assert.match(checked.stderr, /toolbus\.yaml:7:26/);
  assert.match(checked.stderr, /RE2/);
  assert.doesNotMatch(checked.stderr, /look/);
});

test('validation - results are checked against the output schema where the operator says so', async () => {
  verifies('validation:results');
  const outputSchema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  using upstream = hostileServer({ tools: [echoTool('typed', { outputSchema })] });
  const server = (results: string) => ({ ...upstream.server, validation: { results } });
  await using toolbus = await startToolbus({
    config: { servers: { off: upstream.server, warn: server('warn'), refuse: server('refuse') } },
    args: ['--log-level', 'warn'],
  });
  const { mcp, key } = toolbus.ready;
  const bad = { result: { content: [], structuredContent: { n: 'x' } } };
  const good = { result: { content: [], structuredContent: { n: 1 } } };
  for (const name of ['off', 'warn', 'refuse'])
    assert.deepEqual((await callTool(mcp, `${name}__typed`, good, { key })).response?.result?.['structuredContent'], {
      n: 1,
    });
  assert.ok((await callTool(mcp, 'off__typed', bad, { key })).response?.result);
  assert.ok((await callTool(mcp, 'warn__typed', bad, { key })).response?.result);
  const refused = (await callTool(mcp, 'refuse__typed', bad, { key })).response?.error;
  assert.deepEqual([refused?.code, refused?.data?.['executed']], [-31008, 'yes']);
  assert.match(refused?.message ?? '', /\/n: must be integer/);
  assert.equal(toolbus.logs.filter((line) => line.includes('does not fit the output schema')).length, 2);
});
