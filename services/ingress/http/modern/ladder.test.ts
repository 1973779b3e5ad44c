import assert from 'node:assert/strict';
import test from 'node:test';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { startTestServer } from '../testing/public-server.ts';
import { type ModernOptions, modern, send } from '../testing/raw-http.ts';

const tools = [
  { name: 'demo__plain', inputSchema: { type: 'object' } },
  {
    name: 'demo__routed',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        count: { type: 'integer', 'x-mcp-header': 'Count' },
        deep: { type: 'object', properties: { flag: { type: 'boolean', 'x-mcp-header': 'Flag' } } },
      },
    },
  },
];
const call = (options: ModernOptions = {}) =>
  modern('tools/call', { params: { name: 'demo__plain', arguments: {} }, ...options });
const routed = (args: object, headers: Record<string, string> = {}) =>
  modern('tools/call', { params: { name: 'demo__routed', arguments: args }, headers });
const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;
const plain = (body: unknown) => ({ ...modern('tools/list'), body: JSON.stringify(body) });
const envelope = { [metaKey.protocolVersion]: '2026-07-28', [metaKey.clientCapabilities]: {} };

type Row = [name: string, request: { headers: object; body: string }, status: number, code: number | undefined];

const rows: Row[] = [
  ['a correct call', call(), 200, undefined],
  ['a string id', call({ id: 'ä-"1"' }), 200, undefined],
  ['only JSON accepted', call({ headers: { accept: 'application/json' } }), 200, undefined],
  ['nothing accepted', call({ headers: { accept: undefined } }), 200, undefined],

  ['no _meta', plain({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }), 400, -32602],
  ['no params', plain({ jsonrpc: '2.0', id: 1, method: 'tools/list' }), 400, -32602],
  ['no version in _meta', call({ meta: { [metaKey.protocolVersion]: undefined } }), 400, -32602],
  ['a version that is no string', call({ meta: { [metaKey.protocolVersion]: 7 } }), 400, -32602],
  ['no capabilities', call({ meta: { [metaKey.clientCapabilities]: undefined } }), 400, -32602],
  ['capabilities that are no object', call({ meta: { [metaKey.clientCapabilities]: [] } }), 400, -32602],
  ['clientInfo that is no object', call({ meta: { [metaKey.clientInfo]: 'x' } }), 400, -32602],
  ['an unknown log level', call({ meta: { [metaKey.logLevel]: 'loud' } }), 400, -32602],
  ['a progress token of a wrong type', call({ meta: { progressToken: {} } }), 400, -32602],

  [
    'an unknown version',
    call({ meta: { [metaKey.protocolVersion]: '2099-01-01' }, headers: { 'mcp-protocol-version': '2099-01-01' } }),
    400,
    -32022,
  ],
  [
    'a legacy version in _meta',
    call({ meta: { [metaKey.protocolVersion]: '2025-11-25' }, headers: { 'mcp-protocol-version': '2025-11-25' } }),
    400,
    -32022,
  ],
  ['another version in the header', call({ headers: { 'mcp-protocol-version': '2025-11-25' } }), 400, -32020],
  ['no version header', call({ headers: { 'mcp-protocol-version': undefined } }), 400, -32020],
  ['no method header', call({ headers: { 'mcp-method': undefined } }), 400, -32020],
  ['another method in the header', call({ headers: { 'mcp-method': 'tools/list' } }), 400, -32020],
  ['a method header in another case', call({ headers: { 'mcp-method': 'Tools/Call' } }), 400, -32020],
  [
    'blanks around header values',
    call({ headers: { 'mcp-method': ' \ttools/call ', 'mcp-name': ' demo__plain' } }),
    200,
    undefined,
  ],
  ['two method headers', call({ headers: { 'mcp-method': ['tools/call', 'tools/call'] } }), 400, -32020],

  ['no name header', call({ headers: { 'mcp-name': undefined } }), 400, -32020],
  ['another name in the header', call({ headers: { 'mcp-name': 'demo__other' } }), 400, -32020],
  ['an encoded name', call({ headers: { 'mcp-name': base64('demo__plain') } }), 200, undefined],
  ['another encoded name', call({ headers: { 'mcp-name': base64('demo__other') } }), 400, -32020],
  ['an encoded name that is no base64', call({ headers: { 'mcp-name': '=?base64?###?=' } }), 400, -32020],
  [
    'prompts/get without name header',
    modern('prompts/get', { params: { name: 'p' }, headers: { 'mcp-name': undefined } }),
    400,
    -32020,
  ],
  [
    'resources/read with its URI',
    modern('resources/read', { params: { uri: 'demo://ü' }, headers: { 'mcp-name': base64('demo://ü') } }),
    200,
    undefined,
  ],
  [
    'resources/read with another URI',
    modern('resources/read', { params: { uri: 'demo://a' }, headers: { 'mcp-name': 'demo://b' } }),
    400,
    -32020,
  ],
  [
    'tasks/get with another task',
    modern('tasks/get', { params: { taskId: 'a' }, headers: { 'mcp-name': 'b' } }),
    400,
    -32020,
  ],
  ['tools/call without any name', modern('tools/call'), 200, undefined],

  ['a declared argument without header', routed({ region: 'eu' }), 400, -32020],
  ['a declared argument with header', routed({ region: 'eu' }, { 'mcp-param-region': 'eu' }), 200, undefined],
  ['a declared argument with another header', routed({ region: 'eu' }, { 'Mcp-Param-Region': 'us' }), 400, -32020],
  ['a declared argument in another case', routed({ region: 'eu' }, { 'mcp-param-region': 'EU' }), 400, -32020],
  ['an encoded argument', routed({ region: 'ü' }, { 'mcp-param-region': base64('ü') }), 200, undefined],
  ['an argument that is no base64', routed({ region: 'ü' }, { 'mcp-param-region': '=?base64?ü?=' }), 400, -32020],
  ['an integer spelled otherwise', routed({ count: 42 }, { 'mcp-param-count': '42.0' }), 200, undefined],
  ['another integer', routed({ count: 42 }, { 'mcp-param-count': '43' }), 400, -32020],
  ['a nested argument without header', routed({ deep: { flag: false } }), 400, -32020],
  ['a nested argument with header', routed({ deep: { flag: false } }, { 'mcp-param-flag': 'false' }), 200, undefined],
  ['a null argument', routed({ region: null }), 200, undefined],
  ['an absent argument with header', routed({}, { 'mcp-param-region': 'eu' }), 200, undefined],
  ['an undeclared Mcp-Param header', routed({}, { 'mcp-param-other': 'x' }), 200, undefined],

  ['initialize', modern('initialize'), 404, -32601],
  ['ping', modern('ping'), 404, -32601],
  ['logging/setLevel', modern('logging/setLevel'), 404, -32601],
  ['resources/subscribe', modern('resources/subscribe'), 404, -32601],
  ['resources/unsubscribe', modern('resources/unsubscribe'), 404, -32601],
  ['a method the server does not know', modern('test/unknown'), 404, -32601],
  ['a method that is refused in band', modern('test/invalid'), 200, -32602],
  ['a missing capability', modern('test/capability'), 400, -32021],

  ['a batch', plain([{ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: envelope } }]), 400, -32600],
  ['an empty batch', plain([]), 400, -32600],
  ['a response', plain({ jsonrpc: '2.0', id: 1, result: {} }), 400, -32600],
  [
    'a fractional id',
    plain({ jsonrpc: '2.0', id: 1.5, method: 'tools/list', params: { _meta: envelope } }),
    400,
    -32600,
  ],
  ['an id beyond 2^53', { ...call(), body: call().body.replace('"id":1', '"id":9007199254740993') }, 400, -32600],
  ['a null id', plain({ jsonrpc: '2.0', id: null, method: 'tools/list', params: { _meta: envelope } }), 400, -32600],
  ['another jsonrpc', plain({ jsonrpc: '1.0', id: 1, method: 'tools/list', params: { _meta: envelope } }), 400, -32600],
  [
    'Method for method',
    plain({ jsonrpc: '2.0', id: 1, Method: 'tools/list', params: { _meta: envelope } }),
    400,
    -32600,
  ],
  [
    'two methods',
    { ...call(), body: call().body.replace('"method":', '"method":"tools/list","method":') },
    400,
    -32600,
  ],
  ['params that are an array', plain({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: [] }), 400, -32600],
  ['a string', plain('x'), 400, -32600],
  ['no JSON', { ...call(), body: '{"jsonrpc"' }, 400, -32700],
  ['no body', { ...call(), body: '' }, 400, -32700],
];

for (const [name, request, status, code] of rows) {
  test(`modern edge - ${name} answers ${status}${code === undefined ? '' : ` and ${code}`}`, async () => {
    await using server = await startTestServer({
      tools,
      async handle({ method }) {
        const code = { 'test/unknown': -32601, 'test/invalid': -32602, 'test/capability': -32021 }[method];
        if (code !== undefined) return { kind: 'error', error: { code, message: 'no' } };
        return { kind: 'result', resultType: 'complete', body: '{}' };
      },
    });
    const answer = await send({ port: server.port, ...request, headers: { ...request.headers } });
    assert.equal(answer.status, status, answer.body);
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    const body = JSON.parse(answer.body);
    assert.equal(body.error?.code, code);
    if (code === undefined) assert.equal(body.id, JSON.parse(request.body).id);
  });
}

test('modern edge - an error echoes the id of its request', async () => {
  await using server = await startTestServer();
  const answer = await send({ port: server.port, ...call({ id: 'seven', headers: { 'mcp-method': 'x' } }) });
  assert.equal(JSON.parse(answer.body).id, 'seven');
});

test('modern edge - an unknown version is told which are known', async () => {
  await using server = await startTestServer();
  const headers = { 'mcp-protocol-version': '2099-01-01' };
  const answer = await send({
    port: server.port,
    ...call({ meta: { [metaKey.protocolVersion]: '2099-01-01' }, headers }),
  });
  assert.deepEqual(JSON.parse(answer.body).error.data, { supported: ['2026-07-28'], requested: '2099-01-01' });
});

test('modern edge - a notification is accepted and dropped, one that contradicts itself is refused', async () => {
  await using server = await startTestServer();
  const note = (params: object, headers: object) => ({
    port: server.port,
    headers: { 'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }),
  });
  const accepted = await send(note({ requestId: 1 }, {}));
  assert.deepEqual([accepted.status, accepted.body], [202, '']);
  assert.equal((await send(note({}, { 'mcp-method': 'notifications/other' }))).status, 400);
  assert.equal((await send(note({ _meta: { [metaKey.protocolVersion]: '2025-11-25' } }, {}))).status, 400);
  assert.equal(server.requests.length, 0);
});

test('modern edge - an endpoint that is not there answers 404', async () => {
  await using server = await startTestServer();
  const answer = await send({ port: server.port, path: '/mcp/nothing', ...call() });
  assert.equal(answer.status, 404);
  assert.equal(JSON.parse(answer.body).id, 1);
  assert.equal((await send({ port: server.port, path: '/mcp/demo', ...call() })).status, 200);
  assert.deepEqual(server.requests[0]?.endpoint, { kind: 'server', name: 'demo' });
});

test('modern edge - a request reaches handle without its envelope', async () => {
  await using server = await startTestServer();
  const request = modern('tools/call', {
    params: { name: 'demo__plain', arguments: { a: [1, 'ü'] }, requestState: 's', inputResponses: { q: {} } },
    meta: {
      progressToken: 'tok',
      [metaKey.clientInfo]: { name: 'c' },
      [metaKey.logLevel]: 'info',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'x/y': 1,
    },
    headers: {
      'mcp-param-other': 'x',
      traceparent: '00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-01',
      'x-other': 'no',
      cookie: 'no',
    },
  });
  await send({ port: server.port, ...request });
  const [seen] = server.requests;
  assert.deepEqual(seen?.params, {
    name: 'demo__plain',
    arguments: { a: [1, 'ü'] },
    requestState: 's',
    inputResponses: { q: {} },
    _meta: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x/y': 1 },
  });
  assert.deepEqual(seen?.agent, {
    protocolVersion: '2026-07-28',
    capabilities: {},
    clientInfo: { name: 'c' },
    logLevel: 'info',
  });
  assert.deepEqual(seen?.headers, {
    'mcp-param-other': 'x',
    traceparent: '00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-01',
  });
  assert.equal(seen?.wantsProgress, true);
  assert.equal(seen?.clientAddress, '127.0.0.1');
  assert.match(seen?.callId ?? '', /^[0-9A-HJKMNP-TV-Z]{26}$/);
});
