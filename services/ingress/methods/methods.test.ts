import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agent, manifestOf, resource, template, tool } from '../catalog/testing/fixtures.ts';
import { errorIn, errorOf, harnessOf, requestOf, resultIn, resultOf } from './testing/harness.ts';

const github = manifestOf('github', {
  tools: [tool('get_issue'), tool('admin.list'), tool('delete_repo')],
  prompts: [{ name: 'review' }],
  resources: [resource('repo://a')],
  resourceTemplates: [template('repo://{owner}/{name}')],
});
const web = manifestOf('web', {
  tools: [tool('open')],
  resources: [resource('repo://a')],
  capabilities: { tools: {}, resources: {} },
});
const config = {
  servers: { github: { command: 'x', timeoutMs: 1234 }, web: { command: 'x' } },
  agents: { reader: { allow: ['github__get_*'] } },
};
const atGithub = { endpoint: { kind: 'server', name: 'github' } } as const;

test('tools/call - goes out in the server’s own words and comes back as the bytes that came', async () => {
  const it = harnessOf(config, [github, web]);
  const reply = resultOf({ content: [{ type: 'text', text: 'hi' }] });
  it.answer = () => reply;
  const params = { name: 'github__admin_list', arguments: { a: 1 }, future: true, _meta: { traceparent: 't' } };
  const request = requestOf('tools/call', params, { headers: { 'mcp-param-a': '1' }, wantsProgress: true });
  const answer = await it.handle(request);
  const [call] = it.calls;
  assert.deepEqual(call, {
    id: 'call-1',
    server: 'github',
    method: 'tools/call',
    target: 'admin.list',
    params: { ...params, name: 'admin.list' },
    agent: request.agent,
    principal: request.principal,
    wantsProgress: true,
    timeoutMs: 1234,
    headers: { 'mcp-param-a': '1' },
    instance: undefined,
    affinity: undefined,
    park: undefined,
  });
  assert.ok(answer.kind === 'result' && reply.kind === 'result');
  assert.equal(answer.body, reply.body);
  assert.deepEqual(answer.timing, { totalMs: 2, upstreamMs: 1 });
  assert.deepEqual(answer.source, { server: 'github', tool: 'admin.list' });
});

test('tools/call - a server’s own endpoint takes bare names', async () => {
  const it = harnessOf(config, [github, web]);
  await it.handle(requestOf('tools/call', { name: 'admin.list' }, atGithub));
  assert.equal(it.calls[0]?.target, 'admin.list');
  const prefixed = await it.handle(requestOf('tools/call', { name: 'github__admin_list' }, atGithub));
  assert.equal(errorIn(prefixed).code, -32602);
});

test('tools/call - unknown and forbidden tools are told apart by nothing', async () => {
  const it = harnessOf(config, [github, web]);
  const ask = async (name: string, parts = {}) =>
    JSON.stringify(await it.handle(requestOf('tools/call', { name }, { principal: agent('reader'), ...parts })));
  const forbidden = await ask('github__delete_repo');
  const unknown = await ask('github__delete_what');
  assert.equal(forbidden.replace('delete_repo', 'delete_what'), unknown);
  assert.deepEqual(errorIn(JSON.parse(forbidden)), { code: -32602, message: 'Unknown tool: github__delete_repo' });
  assert.match(await ask('__proto__'), /Unknown tool: __proto__/);
  assert.match(await ask('delete_repo', atGithub), /Unknown tool: delete_repo/);
  assert.equal(it.calls.length, 0);
});

test('tools/call - a name or arguments of the wrong type are refused', async () => {
  const it = harnessOf(config, [github]);
  for (const params of [{}, { name: 7 }, { name: 'github__get_issue', arguments: [] }])
    assert.equal(errorIn(await it.handle(requestOf('tools/call', params))).code, -32602);
  assert.equal(it.calls.length, 0);
});

test('tools/call - an upstream’s error passes with its timing', async () => {
  const it = harnessOf(config, [github]);
  it.answer = () => errorOf({ code: -32602, message: 'no', data: { x: 1 } });
  assert.deepEqual(await it.handle(requestOf('tools/call', { name: 'github__get_issue' })), {
    kind: 'error',
    error: { code: -32602, message: 'no', data: { x: 1 } },
    timing: { totalMs: 2, upstreamMs: 1 },
  });
});

test('tools/call - notifications and cancellation pass through', async () => {
  const it = harnessOf(config, [github]);
  const seen: string[] = [];
  const request = requestOf(
    'tools/call',
    { name: 'github__get_issue' },
    { onNotification: ({ method }) => seen.push(method) },
  );
  it.answer = (_call, { signal, onNotification }) => {
    assert.equal(signal, request.signal);
    onNotification({ method: 'notifications/progress', params: {} });
    return resultOf({});
  };
  await it.handle(request);
  assert.deepEqual(seen, ['notifications/progress']);
});

test('lists - come from memory, for the era of the agent', async () => {
  const it = harnessOf(config, [github, web]);
  const answer = await it.handle(requestOf('tools/list'));
  assert.ok(answer.kind === 'result' && answer.cache);
  const again = await it.handle(
    requestOf('tools/list', {}, { agent: { protocolVersion: '2025-11-25', capabilities: {} } }),
  );
  assert.ok(again.kind === 'result');
  assert.equal(again.body, answer.body);
  for (const method of ['prompts/list', 'resources/list', 'resources/templates/list'])
    assert.equal((await it.handle(requestOf(method))).kind, 'result');
  assert.equal(it.calls.length, 0);
});

test('lists - a cursor that is not ours is refused, the empty one too', async () => {
  const it = harnessOf(config, [github]);
  for (const cursor of ['', 'x', 7])
    assert.equal(errorIn(await it.handle(requestOf('tools/list', { cursor }))).code, -32602);
});

test('prompts/get - undoes the prefix; an unknown prompt is refused', async () => {
  const it = harnessOf(config, [github]);
  await it.handle(requestOf('prompts/get', { name: 'github__review', arguments: { a: 'b' } }));
  assert.deepEqual(it.calls[0]?.params, { name: 'review', arguments: { a: 'b' } });
  assert.equal(errorIn(await it.handle(requestOf('prompts/get', { name: 'review' }))).code, -32602);
});

test('completion/complete - undoes the prefix of prompts and templates', async () => {
  const it = harnessOf(config, [github, web]);
  const argument = { name: 'a', value: 'b' };
  await it.handle(requestOf('completion/complete', { ref: { type: 'ref/prompt', name: 'github__review' }, argument }));
  await it.handle(
    requestOf('completion/complete', { ref: { type: 'ref/resource', uri: 'repo://{owner}/{name}' }, argument }),
  );
  assert.deepEqual(
    it.calls.map(({ params }) => params.ref),
    [
      { type: 'ref/prompt', name: 'review' },
      { type: 'ref/resource', uri: 'repo://{owner}/{name}' },
    ],
  );
  const bad = { ref: { type: 'ref/prompt', name: 'nothing' }, argument };
  assert.equal(errorIn(await it.handle(requestOf('completion/complete', bad))).code, -32602);
});

test('completion/complete - a server without completion completes nothing and is not asked', async () => {
  const it = harnessOf(config, [web]);
  const params = { ref: { type: 'ref/resource', uri: 'repo://a' }, argument: { name: 'a', value: 'b' } };
  assert.deepEqual(resultIn(await it.handle(requestOf('completion/complete', params))), { completion: { values: [] } });
  assert.equal(it.calls.length, 0);
});

test('resources/read - takes the upstream’s cache hint out of the body', async () => {
  const it = harnessOf({ servers: config.servers }, [github]);
  it.answer = () => resultOf({ contents: [], ttlMs: 500, cacheScope: 'public' });
  const answer = await it.handle(requestOf('resources/read', { uri: 'repo://a' }));
  assert.deepEqual(resultIn(answer), { contents: [] });
  assert.deepEqual(answer.kind === 'result' && answer.cache, { ttlMs: 500, scope: 'public' });
  it.answer = () => resultOf({ contents: [] });
  const plain = await it.handle(requestOf('resources/read', { uri: 'repo://a' }));
  assert.deepEqual(plain.kind === 'result' && plain.cache, { ttlMs: 0, scope: 'private' });
});

test('resources/read - an unknown resource names its URI', async () => {
  const it = harnessOf(config, [github, web]);
  const error = errorIn(await it.handle(requestOf('resources/read', { uri: 'nothing://x' })));
  assert.equal(error.code, -32602);
  assert.deepEqual(error.data, { uri: 'nothing://x' });
});

test('resources/read - a prefixed URI is undone on the way in and restored on the way out', async () => {
  const it = harnessOf(config, [github, web]);
  const uri = 'toolbus+web:repo://a';
  it.answer = () => resultOf({ contents: [{ uri: 'repo://a', text: 'x' }] });
  const answer = await it.handle(requestOf('resources/read', { uri }));
  assert.deepEqual([it.calls[0]?.server, it.calls[0]?.params.uri], ['web', 'repo://a']);
  assert.deepEqual(resultIn(answer), { contents: [{ uri, text: 'x' }] });
  it.answer = () => errorOf({ code: -32602, message: 'gone', data: { uri: 'repo://a' } });
  assert.deepEqual(errorIn(await it.handle(requestOf('resources/read', { uri }))).data, { uri });
});

test('links in results - are spelled as the agent must ask for them', async () => {
  const it = harnessOf(config, [github, web]);
  const content = [
    { type: 'resource_link', uri: 'repo://a', name: 'a' },
    { type: 'resource', resource: { uri: 'repo://a', text: 'x' } },
    { type: 'text', text: 'repo://a' },
  ];
  it.answer = () => resultOf({ content });
  const other = resultIn(await it.handle(requestOf('tools/call', { name: 'web__open' })));
  assert.deepEqual(other.content, [
    { type: 'resource_link', uri: 'toolbus+web:repo://a', name: 'a' },
    { type: 'resource', resource: { uri: 'toolbus+web:repo://a', text: 'x' } },
    { type: 'text', text: 'repo://a' },
  ]);
  const first = resultIn(await it.handle(requestOf('tools/call', { name: 'github__get_issue' })));
  assert.deepEqual(first.content, content);
});

test('links in results - make a URI that no list names readable', async () => {
  const it = harnessOf(config, [github, web]);
  const read = () => it.handle(requestOf('resources/read', { uri: 'odd://1' }));
  assert.equal((await read()).kind, 'error');
  it.answer = () => resultOf({ content: [{ type: 'resource_link', uri: 'odd://1', name: 'odd' }] });
  await it.handle(requestOf('tools/call', { name: 'web__open' }));
  await read();
  assert.deepEqual([it.calls[1]?.server, it.calls[1]?.target], ['web', 'odd://1']);
});

test('vendor methods - reach the server at its own endpoint and nobody at the aggregate', async () => {
  const it = harnessOf(config, [github]);
  await it.handle(requestOf('vendor/thing', { x: 1 }, atGithub));
  assert.deepEqual([it.calls[0]?.method, it.calls[0]?.params], ['vendor/thing', { x: 1 }]);
  assert.equal(errorIn(await it.handle(requestOf('vendor/thing'))).code, -32601);
  const limited = { ...atGithub, principal: agent('reader') };
  assert.equal(errorIn(await it.handle(requestOf('vendor/thing', {}, limited))).code, -32601);
  for (const method of ['initialize', 'logging/setLevel', 'notifications/initialized', 'roots/list'])
    assert.equal(errorIn(await it.handle(requestOf(method, {}, atGithub))).code, -32601, method);
  assert.equal(it.calls.length, 1);
});
