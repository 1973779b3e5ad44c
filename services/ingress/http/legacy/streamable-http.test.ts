import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../shared/errors.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { Handle } from '../../request.ts';
import { ask, notification, openSession, post, request, stream } from './testing/raw-agent.ts';
import { complete, startTwoIngresses, text } from './testing/two-ingresses.ts';

const hello: Handle = async () => text('hello');
const call = request(1, 'tools/call', { name: 'demo__echo', arguments: {} });

function codeOf(json: JsonObject | undefined): unknown {
  const error = json?.['error'];
  return typeof error === 'object' && error !== null && 'code' in error ? error['code'] : undefined;
}

test('initialize - answers the wanted version where it is known, else the latest of its era', async () => {
  await using cluster = await startTwoIngresses(hello);
  for (const version of ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2026-07-28', '1.0']) {
    const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const answer = await post(cluster.a, request('i', 'initialize', params));
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['mcp-session-id']), /^[\x21-\x7e]{64,4095}$/);
    assert.deepEqual(answer.json, {
      jsonrpc: '2.0',
      id: 'i',
      result: {
        protocolVersion: version.startsWith('202') && version < '2026' ? version : '2025-11-25',
        capabilities: {
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { listChanged: true, subscribe: true },
        },
        serverInfo: { name: 'toolbus', version: '0.0.0' },
        instructions: 'Be kind.',
      },
    });
  }
});

test('initialize - is refused without a version and at an endpoint that is not there', async () => {
  await using cluster = await startTwoIngresses(hello);
  const broken = await post(cluster.a, request(1, 'initialize', {}));
  assert.deepEqual([broken.status, codeOf(broken.json)], [400, -32602]);
  const params = { protocolVersion: '2025-11-25', capabilities: {} };
  assert.equal((await post(cluster.a, request(1, 'initialize', params), {}, '/mcp/nowhere')).status, 404);
});

test('initialize - never adopts a session id the agent brought along', async () => {
  await using cluster = await startTwoIngresses(hello);
  const params = { protocolVersion: '2025-11-25', capabilities: {} };
  const answer = await post(cluster.a, request(1, 'initialize', params), { 'mcp-session-id': 'chosen' });
  assert.notEqual(answer.headers['mcp-session-id'], 'chosen');
});

test('session - is served by an ingress that did not open it', async () => {
  await using cluster = await startTwoIngresses(hello);
  const session = await openSession(cluster.a, { capabilities: { roots: {} }, version: '2025-06-18' });
  const answer = await post(cluster.b, call, session.headers);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.match(String(answer.headers['server-timing']), /^gateway;dur=[\d.]+, upstream;dur=1$/);
  assert.deepEqual(answer.json, { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'hello' }] } });
  const { agent, params, headers, wantsProgress } = cluster.b.calls[0] ?? assert.fail('no call');
  assert.deepEqual(agent, {
    protocolVersion: '2025-06-18',
    capabilities: { roots: {} },
    clientInfo: { name: 'raw', version: '1' },
    logLevel: 'debug',
  });
  assert.deepEqual([params, { ...headers }, wantsProgress], [{ name: 'demo__echo', arguments: {} }, {}, false]);
});

test('session - missing is 400; unknown, foreign, of another endpoint or ended is 404', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a, { agent: 'alice' });
  assert.equal((await post(cluster.a, call, { ...headers, 'mcp-session-id': undefined })).status, 400);
  for (const changed of [{ 'mcp-session-id': 'made-up' }, { authorization: 'Bearer mallory' }]) {
    const answer = await post(cluster.a, call, { ...headers, ...changed });
    assert.deepEqual([answer.status, codeOf(answer.json)], [404, -32001]);
    assert.equal((await ask(cluster.a, 'GET', { ...headers, ...changed })).status, 404);
    assert.equal((await ask(cluster.a, 'DELETE', { ...headers, ...changed })).status, 404);
  }
  assert.equal((await post(cluster.a, call, headers, '/mcp/demo')).status, 404);
  assert.equal((await post(cluster.a, call, headers)).status, 200);
  assert.equal((await ask(cluster.a, 'DELETE', headers)).status, 200);
  assert.equal((await post(cluster.a, call, headers)).status, 404);
  assert.equal((await post(cluster.b, call, headers)).status, 404);
});

test('session - takes any legacy version header or none, and refuses others', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  for (const version of ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', undefined]) {
    assert.equal((await post(cluster.a, call, { ...headers, 'mcp-protocol-version': version })).status, 200);
  }
  const answer = await post(cluster.a, call, { ...headers, 'mcp-protocol-version': '1999-01-01' });
  assert.deepEqual([answer.status, codeOf(answer.json)], [400, -32600]);
});

test('post - needs both types in Accept', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  for (const accept of ['application/json', 'text/event-stream', undefined]) {
    assert.equal((await post(cluster.a, call, { ...headers, accept })).status, 406);
  }
  for (const accept of ['text/event-stream,application/json;q=0.9', '*/*']) {
    assert.equal((await post(cluster.a, call, { ...headers, accept })).status, 200);
  }
  assert.equal((await ask(cluster.a, 'GET', { ...headers, accept: 'application/json' })).status, 406);
});

test('post - refuses what is no message, with the id where there is one', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  for (const body of [1, 'x', {}, { jsonrpc: '1.0', id: 1, method: 'ping' }, request(1.5, 'ping'), [], [{}]]) {
    const answer = await post(cluster.a, body, headers);
    assert.deepEqual([answer.status, codeOf(answer.json)], [400, -32600], JSON.stringify(body));
  }
});

test('post - answers ping itself and 202 to notifications and responses', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  assert.deepEqual((await post(cluster.b, request('p', 'ping'), headers)).json, {
    jsonrpc: '2.0',
    id: 'p',
    result: {},
  });
  for (const body of [
    notification('notifications/initialized'),
    notification('notifications/roots/list_changed'),
    notification('notifications/cancelled', { requestId: 'gone' }),
    { jsonrpc: '2.0', id: 'q.INGRESSBBB.1', result: {} },
    { jsonrpc: '2.0', id: 7, error: { code: -1, message: 'no' } },
  ]) {
    const answer = await post(cluster.a, body, headers);
    assert.deepEqual([answer.status, answer.text], [202, '']);
  }
  assert.equal(cluster.b.calls.length, 0);
});

test('post - does not know the methods of 2026-07-28', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  for (const method of ['server/discover', 'subscriptions/listen']) {
    assert.equal(codeOf((await post(cluster.a, request(1, method), headers)).json), -32601);
  }
});

test('batch - is taken in 2025-03-26 only', async () => {
  await using cluster = await startTwoIngresses(async ({ params }) => text(String(params['name'])));
  const batch = [
    request('a', 'tools/call', { name: 'one' }),
    notification('notifications/initialized'),
    request('b', 'tools/call', { name: 'two' }),
    request('c', 'ping'),
  ];
  const old = await openSession(cluster.a, { version: '2025-03-26' });
  const answer = await post(cluster.b, batch, old.headers);
  assert.equal(answer.status, 200);
  const answers = JSON.parse(answer.text) as JsonObject[];
  assert.deepEqual(answers.map(({ id }) => id).sort(), ['a', 'b', 'c']);
  assert.deepEqual(answers.find(({ id }) => id === 'b')?.['result'], { content: [{ type: 'text', text: 'two' }] });
  assert.equal((await post(cluster.b, [notification('notifications/initialized')], old.headers)).status, 202);

  for (const version of ['2025-06-18', '2025-11-25']) {
    const refused = await post(cluster.a, batch, (await openSession(cluster.a, { version })).headers);
    assert.deepEqual([refused.status, codeOf(refused.json)], [400, -32600]);
  }
  const opening = [request(1, 'initialize', { protocolVersion: '2025-03-26', capabilities: {} })];
  assert.equal((await post(cluster.a, opening)).status, 400);
});

test('batch - becomes a stream with the first notification and still holds every answer', async () => {
  await using cluster = await startTwoIngresses(async ({ params, onNotification }) => {
    if (params['name'] === 'loud') onNotification({ method: 'notifications/progress', params: { progress: 1 } });
    return text(String(params['name']));
  });
  const { headers } = await openSession(cluster.a, { version: '2025-03-26' });
  const loud = { name: 'loud', _meta: { progressToken: 'p' } };
  const batch = [request(1, 'ping'), request(2, 'tools/call', { name: 'quiet' }), request(3, 'tools/call', loud)];
  const events = await stream(cluster.a, '/mcp', headers, batch);
  await events.ended;
  const ids = events.events.map((event) => (event as JsonObject)['id'] ?? (event as JsonObject)['method']);
  assert.deepEqual(ids.map(String).sort(), ['1', '2', '3', 'notifications/progress']);
});

test('request id - in flight twice in one session is 400, in two sessions it is not', async () => {
  const release: (() => void)[] = [];
  await using cluster = await startTwoIngresses(async () => {
    await new Promise<void>((resolve) => release.push(resolve));
    return text('late');
  });
  const [one, two] = [await openSession(cluster.a), await openSession(cluster.a)];
  const first = post(cluster.a, call, one.headers);
  const other = post(cluster.a, call, two.headers);
  while (release.length < 2) await new Promise(setImmediate);
  const second = await post(cluster.a, call, one.headers);
  assert.deepEqual([second.status, codeOf(second.json)], [400, -32600]);
  for (const go of release) go();
  assert.deepEqual([(await first).status, (await other).status], [200, 200]);
  const again = post(cluster.a, call, one.headers);
  while (release.length < 3) await new Promise(setImmediate);
  release[2]?.();
  assert.equal((await again).status, 200, 'the id is free again');
});

test('progress - comes before the answer with the agent’s own token, and only when asked for', async () => {
  await using cluster = await startTwoIngresses(async ({ onNotification }) => {
    onNotification({ method: 'notifications/progress', params: { progress: 1, total: 2 } });
    return text('done');
  });
  const { headers } = await openSession(cluster.a);
  const params = { name: 'slow', _meta: { progressToken: 7, 'example.com/kept': true } };
  const events = await stream(cluster.a, '/mcp', headers, request(1, 'tools/call', params));
  await events.ended;
  assert.deepEqual(events.events, [
    notification('notifications/progress', { progress: 1, total: 2, progressToken: 7 }),
    { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'done' }] } },
  ]);
  const [seen] = cluster.a.calls;
  assert.deepEqual([seen?.params, seen?.wantsProgress], [{ name: 'slow', _meta: { 'example.com/kept': true } }, true]);
  assert.equal((await post(cluster.a, call, headers)).headers['content-type'], 'application/json');
});

test('error - of toolbus has its status and data, of a server comes in band', async () => {
  await using cluster = await startTwoIngresses(async ({ params }) => {
    if (params['name'] === 'refused') throw new GatewayError('no_worker', 'nobody there', { retryAfterMs: 1500 });
    if (params['name'] === 'lost') throw new GatewayError('upstream_lost', 'gone');
    if (params['name'] === 'bug') throw new TypeError('secret detail');
    if (params['name'] === 'task') return { kind: 'result', resultType: 'task', body: '{"resultType":"task"}' };
    return { kind: 'error', error: { code: -32602, message: 'Unknown tool', data: { hint: 1 } } };
  });
  const { headers } = await openSession(cluster.a);
  const tool = (name: string) => post(cluster.a, request(9, 'tools/call', { name }), headers);

  const refused = await tool('refused');
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '2']);
  const { callId } = cluster.a.calls[0] ?? assert.fail('no call');
  const data = { callId, reason: 'no_worker', executed: 'no', retryAfterMs: 1500 };
  assert.deepEqual(refused.json, { jsonrpc: '2.0', id: 9, error: { code: -31004, message: 'nobody there', data } });
  const lost = await tool('lost');
  assert.deepEqual([lost.status, codeOf(lost.json)], [200, -31007]);
  const unknown = await tool('unknown');
  assert.equal(unknown.status, 200);
  assert.deepEqual(unknown.json?.['error'], { code: -32602, message: 'Unknown tool', data: { hint: 1 } });
  const bug = await tool('bug');
  assert.deepEqual([bug.status, codeOf(bug.json), bug.text.includes('secret')], [500, -32603, false]);
  assert.equal(codeOf((await tool('task')).json), -31008);
});

test('result - of a tool whose output is no object is wrapped, others are passed byte by byte', async () => {
  const tools = [
    { name: 'list', outputSchema: { type: 'array' } },
    { name: 'plain', outputSchema: { type: 'object' } },
  ];
  const odd = '{"content":[],  "structuredContent":{"n":12345678901234567890}}';
  await using cluster = await startTwoIngresses(async ({ params }) => {
    const name = String(params['name']);
    const source = { server: 'demo', tool: name };
    if (name === 'plain') return { kind: 'result', resultType: 'complete', body: Buffer.from(odd), source };
    return { ...complete({ content: [], structuredContent: [1, 2] }), source };
  }, tools);
  const { headers } = await openSession(cluster.a);
  const list = await post(cluster.a, request(1, 'tools/call', { name: 'list' }), headers);
  assert.deepEqual(list.json?.['result'], { content: [], structuredContent: { result: [1, 2] } });
  const plain = await post(cluster.a, request(1, 'tools/call', { name: 'plain' }), headers);
  assert.equal(plain.text, `{"jsonrpc":"2.0","id":1,"result":${odd}}`);
});

test('post - that loses its agent does not cancel its call', async () => {
  let finish = () => {};
  await using cluster = await startTwoIngresses(async ({ onNotification }) => {
    onNotification({ method: 'notifications/message', params: { level: 'info', data: 'running' } });
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return text('late');
  });
  const { headers } = await openSession(cluster.a);
  const events = await stream(cluster.a, '/mcp', headers, call);
  events.drop();
  await events.ended;
  assert.equal((await post(cluster.a, request(2, 'ping'), headers)).status, 200);
  assert.equal(cluster.a.calls[0]?.signal.aborted, false);
  finish();
});

test('stopping - refuses new requests and ends the standalone streams', async () => {
  await using cluster = await startTwoIngresses(hello);
  const { headers } = await openSession(cluster.a);
  const events = await stream(cluster.a, '/mcp', headers);
  cluster.a.stop();
  await events.ended;
  const refused = await post(cluster.a, call, headers);
  assert.deepEqual([refused.status, codeOf(refused.json)], [503, -31010]);
  assert.equal((await post(cluster.b, call, headers)).status, 200);
});

test('close - answers what is still in flight, and does not promise that it never ran', async () => {
  let begun = () => {};
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  await using cluster = await startTwoIngresses(() => {
    begun();
    return new Promise(() => {});
  });
  const { headers } = await openSession(cluster.a);
  const pending = post(cluster.a, call, headers);
  await running;
  await cluster.a.edge.close();
  const answer = await pending;
  assert.equal(codeOf(answer.json), -31010);
  assert.match(answer.text, /"executed":"unknown"/);
});
