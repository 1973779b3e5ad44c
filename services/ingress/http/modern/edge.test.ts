import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';
import { toAbortSignal } from '../../../../shared/cancellation.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { until } from '../../../../test/helpers/until.ts';
import { verifies } from '../../../../test/requirements.ts';
import type { AgentReply } from '../../request.ts';
import { startTestServer } from '../testing/public-server.ts';
import { eventsOf, modern, open, send, sendBytes } from '../testing/raw-http.ts';

const ok: AgentReply = { kind: 'result', resultType: 'complete', body: '{"content":[]}' };
const timingSyntax = /^gateway;dur=[\d.]+, upstream;dur=[\d.]+$/;
const call = (meta = {}, headers = {}) => modern('tools/call', { params: { name: 'demo__t' }, meta, headers });

const bodies: [name: string, reply: Extract<AgentReply, { kind: 'result' }>, result: object][] = [
  [
    'a result',
    { kind: 'result', resultType: 'complete', body: '{"content":[{"text":"ü€😀"}]}' },
    { resultType: 'complete', content: [{ text: 'ü€😀' }] },
  ],
  ['an empty result', { kind: 'result', resultType: 'complete', body: '{}' }, { resultType: 'complete' }],
  ['a result with blanks', { kind: 'result', resultType: 'complete', body: ' \n{ \t}\n' }, { resultType: 'complete' }],
  [
    'a cacheable result',
    {
      kind: 'result',
      resultType: 'complete',
      body: Buffer.from('{"tools":[]}'),
      cache: { ttlMs: 5, scope: 'private' },
    },
    { resultType: 'complete', ttlMs: 5, cacheScope: 'private', tools: [] },
  ],
  [
    'another kind of result',
    { kind: 'result', resultType: 'task', body: '{"resultType":"task","taskId":"1"}' },
    { resultType: 'task', taskId: '1' },
  ],
  [
    'a long result',
    { kind: 'result', resultType: 'complete', body: Buffer.from(JSON.stringify({ text: 'ü'.repeat(400_000) })) },
    { resultType: 'complete', text: 'ü'.repeat(400_000) },
  ],
];

for (const [name, reply, result] of bodies) {
  for (const streamed of [false, true]) {
    test(`modern edge - ${name} arrives unchanged ${streamed ? 'as an event' : 'as JSON'}`, async () => {
      await using server = await startTestServer({
        async handle(request) {
          if (streamed) request.onNotification({ method: 'notifications/other', params: {} });
          return reply;
        },
      });
      const request = modern('tools/call', { id: 'é', params: { name: 'demo__t' } });
      const answer = await send({ port: server.port, ...request });
      assert.equal(answer.status, 200);
      const message = streamed ? eventsOf(answer.body)[1] : JSON.parse(answer.body);
      assert.deepEqual(message, { jsonrpc: '2.0', id: 'é', result });
      const timing = streamed ? answer.trailers['server-timing'] : answer.headers['server-timing'];
      assert.match(String(timing), timingSyntax);
    });
  }
}

test('modern edge - notifications come before the result, progress with the token of the agent', async () => {
  await using server = await startTestServer({
    async handle({ onNotification }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      onNotification({ method: 'notifications/message', params: { level: 'info', data: 'dropped' } });
      onNotification({ method: 'notifications/message', params: { level: 'error', data: 'kept' } });
      return ok;
    },
  });
  for (const progressToken of ['7', 7]) {
    const answer = await send({ port: server.port, ...call({ progressToken, [metaKey.logLevel]: 'warning' }) });
    assert.equal(answer.headers['content-type'], 'text/event-stream');
    assert.equal(answer.headers['x-accel-buffering'], 'no');
    assert.deepEqual(eventsOf(answer.body), [
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, progressToken } },
      { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'kept' } },
      { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', content: [] } },
    ]);
  }
});

test('modern edge - what the agent did not ask for, or cannot take, is left out', async () => {
  await using server = await startTestServer({
    async handle({ onNotification }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      onNotification({ method: 'notifications/message', params: { level: 'emergency' } });
      return ok;
    },
  });
  const unasked = await send({ port: server.port, ...call() });
  assert.equal(unasked.headers['content-type'], 'application/json');
  const jsonOnly = await send({ port: server.port, ...call({ progressToken: 1 }, { accept: 'application/json' }) });
  assert.equal(jsonOnly.headers['content-type'], 'application/json');
  const streamOnly = await send({ port: server.port, ...call({}, { accept: 'text/event-stream' }) });
  assert.equal(eventsOf(streamOnly.body).length, 1);
});

test('modern edge - a notification is sent at once', async () => {
  const release = new AbortController();
  await using server = await startTestServer({
    async handle({ onNotification }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      await once(release.signal, 'abort');
      return ok;
    },
  });
  const { res } = await open({ port: server.port, ...call({ progressToken: 1 }) });
  const [chunk] = await once(res, 'data');
  assert.match(String(chunk), /notifications\/progress/);
  release.abort();
  await once(res.resume(), 'end');
});

test('modern edge - closing the response cancels the call', async () => {
  const aborted = new AbortController();
  await using server = await startTestServer({
    async handle({ onNotification, signal }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      await once(toAbortSignal(signal), 'abort');
      aborted.abort();
      throw new Error('cancelled');
    },
  });
  const { res } = await open({ port: server.port, ...call({ progressToken: 1 }) });
  const cancelled = once(aborted.signal, 'abort');
  res.destroy();
  await cancelled;
});

test('modern edge - a finished call is not cancelled', async () => {
  await using server = await startTestServer({ handle: async () => ok });
  await send({ port: server.port, ...call() });
  assert.equal(server.requests[0]?.signal.aborted, false);
});

test('modern edge - an error of toolbus itself has its status, its headers and what it promises', async () => {
  const errors = [
    new GatewayError('rate_limited', 'slow down', { retryAfterMs: 1500 }),
    new GatewayError('no_worker', 'nobody'),
    new GatewayError('shutting_down', 'bye', { retryAfterMs: 10 }),
    new GatewayError('upstream_lost', 'gone'),
  ];
  await using server = await startTestServer({
    async handle({ params }) {
      throw errors[Number(params['name'])];
    },
  });
  const ask = (name: string) => send({ port: server.port, ...modern('tools/call', { params: { name } }) });
  const [limited, nobody, closing, lost] = await Promise.all(['0', '1', '2', '3'].map(ask));
  assert.equal(limited?.status, 429);
  assert.equal(limited?.headers['retry-after'], '2');
  const { error } = JSON.parse(limited?.body ?? '');
  const callId = server.requests[0]?.callId;
  assert.deepEqual(error, {
    code: -31001,
    message: 'slow down',
    data: { callId, reason: 'rate_limited', executed: 'no', retryAfterMs: 1500 },
  });
  assert.match(String(limited?.headers['server-timing']), timingSyntax);
  assert.deepEqual([nobody?.status, nobody?.headers['retry-after']], [503, '1']);
  assert.deepEqual([closing?.status, closing?.headers.connection], [503, 'close']);
  assert.deepEqual([lost?.status, lost?.headers['retry-after']], [200, undefined]);
  assert.equal(JSON.parse(lost?.body ?? '').error.data.executed, 'unknown');
});

test('modern edge - an error after a notification comes in band', async () => {
  await using server = await startTestServer({
    async handle({ onNotification }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      throw new GatewayError('upstream_lost', 'gone');
    },
  });
  const answer = await send({ port: server.port, ...call({ progressToken: 1 }) });
  assert.equal(answer.status, 200);
  assert.equal((eventsOf(answer.body)[1] as { error: { code: number } }).error.code, -31007);
});

test('modern edge - an unexpected failure says nothing of itself', async () => {
  await using server = await startTestServer({
    async handle() {
      throw new Error('secret');
    },
  });
  const answer = await send({ port: server.port, ...call() });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.body, /secret/);
  assert.equal(JSON.parse(answer.body).error.code, -32603);
});

test('modern edge - refuses new calls while stopping', async () => {
  await using server = await startTestServer();
  server.stop();
  const answer = await send({ port: server.port, ...call() });
  assert.equal(answer.status, 503);
  assert.equal(JSON.parse(answer.body).error.data.reason, 'shutting_down');
  assert.equal(server.requests.length, 0);
});

test('modern edge - a task whose agent leaves before it can read of it is cancelled', async () => {
  verifies('tasks:abandoned');
  await using server = await startTestServer({
    async handle({ method, signal }) {
      if (method !== 'tools/call') return ok;
      // As late as can be: the task is known here, and its agent is gone.
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
      return { kind: 'result', resultType: 'task', body: '{"resultType":"task","taskId":"sealed"}' };
    },
  });
  const request = http.request({ port: server.port, path: '/mcp', method: 'POST', headers: call().headers });
  request.on('error', () => undefined);
  request.end(call().body);
  await until('the call', () => server.requests[0]);
  request.destroy();
  const cancelling = await until('the cancellation', () => server.requests[1]);
  assert.deepEqual([cancelling.method, cancelling.params], ['tasks/cancel', { taskId: 'sealed' }]);
  assert.equal(cancelling.signal.aborted, false);
  assert.notEqual(cancelling.callId, server.requests[0]?.callId);
});

test('modern edge - HTTP/1.0 gets its stream without trailers', async () => {
  await using server = await startTestServer({
    async handle({ onNotification }) {
      onNotification({ method: 'notifications/progress', params: { progress: 1 } });
      return ok;
    },
  });
  const { headers, body } = call({ progressToken: 1 });
  const head = Object.entries({ host: 'localhost', 'content-length': Buffer.byteLength(body), ...headers });
  const text = `POST /mcp HTTP/1.0\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
  const answer = await sendBytes(server.port, text);
  assert.match(answer, /200 OK/);
  assert.match(answer, /"resultType":"complete"/);
});

test('server/discover - says what this view has, for this agent alone', async () => {
  await using server = await startTestServer();
  const answer = await send({ port: server.port, ...modern('server/discover') });
  const { result } = JSON.parse(answer.body);
  assert.deepEqual(result.supportedVersions, ['2026-07-28']);
  assert.equal(result.resultType, 'complete');
  assert.equal(result.cacheScope, 'private');
  assert.ok(result.ttlMs >= 0);
  assert.equal(result.instructions, 'Be kind.');
  assert.deepEqual(result._meta[metaKey.serverInfo], { name: 'toolbus', version: '0.0.0' });
  assert.ok(result.capabilities.tools);
});
