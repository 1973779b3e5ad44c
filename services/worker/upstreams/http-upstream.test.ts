import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GatewayError } from '../../../shared/errors.ts';
import {
  callOf,
  legacyAgent,
  modernAgent,
  nodeArgs,
  openTestUpstream,
  run,
  startServer,
  textOf,
} from './testing/harness.ts';

interface Seen {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: { id?: number; method?: string; params?: Record<string, unknown> };
}
type Behave = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

const timeout = 60_000;

function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
const answer = (response: ServerResponse, id: number | undefined, result: object) =>
  json(response, 200, { jsonrpc: '2.0', id, result });
const ok = { content: [{ type: 'text', text: 'ok' }] };

/** A scripted server: `behave` answers tool calls, and whatever else it wants to before the ordinary answers. */
async function scripted(era: 'modern' | 'legacy', behave: Behave) {
  const seen: Seen[] = [];
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const one: Seen = { method: request.method ?? '', headers: request.headers, body };
    seen.push(one);
    behave(one, response, request);
    if (response.headersSent || response.destroyed || one.body.method === 'tools/call') return;
    switch (one.body.method) {
      case 'server/discover':
        if (era === 'legacy')
          return json(response, 400, {
            jsonrpc: '2.0',
            id: null,
            error: { code: -32000, message: 'Bad Request: no session' },
          });
        return answer(response, body.id, {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: {} },
          ttlMs: 60_000,
          cacheScope: 'private',
        });
      case 'initialize':
        if (era === 'modern')
          return json(response, 400, { jsonrpc: '2.0', id: body.id, error: { code: -32022, message: 'no' } });
        return json(
          response,
          200,
          {
            jsonrpc: '2.0',
            id: body.id,
            result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: {} },
          },
          { 'mcp-session-id': `s${seen.length}` },
        );
      case 'tools/list':
        return answer(response, body.id, {
          tools: [{ name: 'a', inputSchema: schema }],
          ttlMs: 5_000,
          cacheScope: 'public',
        });
      default:
        response.writeHead(one.method === 'POST' ? 202 : 405).end();
    }
  });
  const schema = {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, n: { type: 'integer', 'x-mcp-header': 'N' } },
  };
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp?x=1`,
    seen,
    calls: () => seen.filter(({ body }) => body.method === 'tools/call'),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
    },
  };
}

const failures: Record<string, { behave: Behave; reason: string }> = {
  'an HTML page': {
    behave: (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>secret</p>'),
    reason: 'bad_upstream_output',
  },
  'HTTP 500': { behave: (_, response) => response.writeHead(500).end('secret stack'), reason: 'bad_upstream_output' },
  'a redirect': {
    behave: (_, response) => response.writeHead(307, { location: 'http://169.254.169.254/' }).end(),
    reason: 'bad_upstream_output',
  },
  'a gzip body': {
    behave: (_, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(1e6))),
    reason: 'bad_upstream_output',
  },
  'broken JSON': {
    behave: (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":'),
    reason: 'bad_upstream_output',
  },
  'the id of another call': {
    behave: ({ body }, response) => answer(response, Number(body.id) + 1, ok),
    reason: 'bad_upstream_output',
  },
  'result and error at once': {
    behave: ({ body }, response) =>
      json(response, 200, { jsonrpc: '2.0', id: body.id, result: {}, error: { code: 1, message: '' } }),
    reason: 'bad_upstream_output',
  },
  '202 to a request': { behave: (_, response) => response.writeHead(202).end(), reason: 'bad_upstream_output' },
  'an endless body': {
    behave: (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      const pour = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', pour);
      pour();
    },
    reason: 'bad_upstream_output',
  },
  'a reset': { behave: (_, __, request) => request.socket.resetAndDestroy(), reason: 'upstream_lost' },
  'a stream cut short': {
    behave: (_, response, request) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"jsonrpc":"2.0",', () => request.socket.destroy());
    },
    reason: 'upstream_lost',
  },
  'a resultType that is no name': {
    behave: ({ body }, response) => answer(response, body.id, { resultType: 7 }),
    reason: 'bad_upstream_output',
  },
  'HTTP 401': { behave: (_, response) => response.writeHead(401).end(), reason: 'bad_upstream_output' },
  'HTTP 429': { behave: (_, response) => response.writeHead(429, { 'retry-after': '7' }).end(), reason: 'overloaded' },
};

for (const [what, { behave, reason }] of Object.entries(failures)) {
  test(`http - ${what} fails the call with ${reason}`, { timeout }, async () => {
    let hostile = true;
    await using server = await scripted('modern', (seen, response, request) => {
      if (seen.body.method !== 'tools/call') return;
      if (hostile) behave(seen, response, request);
      else answer(response, seen.body.id, ok);
    });
    await using opened = await openTestUpstream({ url: server.url, headers: { 'x-key': 'hunter2' } });
    await opened.state('ready');
    const error = await run(opened.upstream, callOf('a')).then(
      () => assert.fail('it must not be answered'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof GatewayError);
    assert.equal(error.reason, reason);
    assert.doesNotMatch(error.message, /secret|hunter2|169\.254/);
    assert.equal(server.calls().length, 1, 'it is not sent again');
    hostile = false;
    assert.equal(textOf((await run(opened.upstream, callOf('a'))).answer), 'ok');
  });
}

test('http - a modern request carries the headers that mirror its body', { timeout }, async () => {
  await using server = await scripted('modern', ({ body }, response) => {
    if (body.method === 'tools/call') answer(response, body.id, { ...ok, resultType: 'complete' });
  });
  await using opened = await openTestUpstream({
    url: server.url,
    headers: { 'x-key': 'hunter2', 'Mcp-Method': 'forged' },
  });
  const manifest = await opened.manifest();
  assert.deepEqual(manifest.cache, { ttlMs: 5_000, scope: 'private' });
  const call = callOf(
    'a',
    { headers: { 'mcp-param-other': 'kept', 'mcp-param-n': 'forged', traceparent: '00-1-2-01', cookie: 'no' } },
    { region: 'Zürich', n: null },
  );
  const own = { ...call.params, _meta: { vendor: 1 } };
  const { answer: got } = await run(opened.upstream, { ...call, params: own, wantsProgress: true });
  assert.ok(got.kind === 'result' && !('resultType' in got.result));
  const [sent] = server.calls();
  assert.ok(sent);
  const { headers, body } = sent;
  assert.equal(headers['mcp-protocol-version'], '2026-07-28');
  assert.equal(headers['mcp-method'], 'tools/call');
  assert.equal(headers['mcp-name'], 'a');
  assert.equal(headers['mcp-param-region'], '=?base64?WsO8cmljaA==?=');
  assert.equal(headers['mcp-param-n'], undefined);
  assert.equal(headers['mcp-param-other'], 'kept');
  assert.equal(headers['traceparent'], '00-1-2-01');
  assert.equal(headers['cookie'], undefined);
  assert.equal(headers['x-key'], 'hunter2');
  assert.equal(headers['accept-encoding'], 'identity');
  assert.deepEqual(body.params?.['_meta'], {
    vendor: 1,
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': modernAgent.capabilities,
    'io.modelcontextprotocol/clientInfo': modernAgent.clientInfo,
    progressToken: body.id,
  });
});

test('http - after HeaderMismatch the tools are listed again and the call is sent once more', { timeout }, async () => {
  await using server = await scripted('modern', ({ body }, response) => {
    if (body.method === 'tools/call')
      json(response, 400, { jsonrpc: '2.0', id: body.id, error: { code: -32020, message: 'headers' } });
  });
  await using opened = await openTestUpstream({ url: server.url });
  await opened.state('ready');
  const { answer: got } = await run(opened.upstream, callOf('a'));
  assert.equal(got.kind === 'error' && got.error.code, -32020);
  assert.deepEqual(
    server.seen.slice(-3).map(({ body }) => body.method),
    ['tools/call', 'tools/list', 'tools/call'],
  );
});

test('http - a forgotten legacy session is opened again and the call is sent once more', { timeout }, async () => {
  let forgotten: string | undefined;
  await using server = await scripted('legacy', ({ body, headers }, response) => {
    if (body.method !== 'tools/call') return;
    forgotten ??= headers['mcp-session-id'] as string;
    if (headers['mcp-session-id'] === forgotten) response.writeHead(404).end();
    else answer(response, body.id, ok);
  });
  await using opened = await openTestUpstream({ url: server.url });
  await opened.state('ready');
  assert.equal(textOf((await run(opened.upstream, callOf('a'))).answer), 'ok');
  assert.equal(server.calls().length, 2);
  assert.equal(server.calls()[1]?.headers['mcp-protocol-version'], '2025-11-25');
});

test('http - a legacy stream that ends before its answer is resumed from the last event', { timeout }, async () => {
  let id: number | undefined;
  await using server = await scripted('legacy', ({ method, body, headers }, response) => {
    if (body.method === 'tools/call') {
      id = body.id;
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: e1\nretry: 10\ndata: \n\n');
    } else if (method === 'GET' && headers['last-event-id'] === 'e1') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: e2\r\ndata: {"jsonrpc":"2.0",\r\ndata: "id":${id},"result":${JSON.stringify(ok)}}\r\n\r\n`);
    }
  });
  await using opened = await openTestUpstream({ url: server.url });
  await opened.state('ready');
  assert.equal(textOf((await run(opened.upstream, callOf('a'))).answer), 'ok');
});

test('http - log messages reach the agent from its own level on', { timeout }, async () => {
  await using server = await scripted('legacy', ({ body }, response) => {
    if (body.method !== 'tools/call') return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const level of ['debug', 'warning', 'error']) {
      response.write(
        `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: 1 } })}\n\n`,
      );
    }
    response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: body.id, result: ok })}\n\n`);
  });
  await using opened = await openTestUpstream({ url: server.url });
  await opened.state('ready');
  const quiet = await run(opened.upstream, callOf('a'));
  assert.deepEqual(quiet.notifications, []);
  const loud = await run(opened.upstream, callOf('a', { agent: { ...legacyAgent, logLevel: 'warning' } }));
  assert.deepEqual(
    loud.notifications.map(({ params }) => params['level']),
    ['warning', 'error'],
  );
});

test(
  'http - credentials that are refused are told with a hint, and are no evidence of an era',
  { timeout },
  async () => {
    await using server = await scripted('modern', (_, response) => void response.writeHead(401).end('secret'));
    await using opened = await openTestUpstream({ url: server.url });
    const down = await opened.state('down');
    assert.ok(down.state === 'down');
    assert.match(down.error, /HTTP 401/);
    assert.match(down.hint ?? '', /headers/);
    assert.ok(server.seen.every(({ body }) => body.method === 'server/discover'));
  },
);

test('http - a server that is not there is found when it comes', { timeout }, async () => {
  await using opened = await openTestUpstream({ url: 'http://127.0.0.1:9/mcp' });
  const down = await opened.state('down');
  assert.ok(down.state === 'down' && down.error.includes('ECONNREFUSED'));
  await assert.rejects(run(opened.upstream, callOf('a')), { reason: 'no_worker', executed: 'no' });
});

for (const mode of ['streamableHttp', 'sse', 'stdio']) {
  test(`server-everything over ${mode} - is listed and called`, { timeout }, async (t) => {
    const script = new URL(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js')).pathname;
    let url: string | undefined;
    if (mode !== 'stdio') {
      const free = createServer().listen(0, '127.0.0.1');
      await once(free, 'listening');
      const { port } = free.address() as AddressInfo;
      free.close();
      await once(free, 'close');
      const { spawn } = await import('node:child_process');
      const child = spawn(process.execPath, [script, mode], {
        env: { ...process.env, PORT: String(port) },
        stdio: 'ignore',
      });
      t.after(() => void child.kill('SIGKILL'));
      url = `http://127.0.0.1:${port}/${mode === 'sse' ? 'sse' : 'mcp'}`;
    }
    await using opened = await openTestUpstream(
      url === undefined ? { command: process.execPath, args: [script, 'stdio'] } : { url },
    );
    await opened.state('ready');
    const manifest = await opened.manifest();
    assert.ok(manifest.tools.length >= 13);
    assert.ok(manifest.prompts.length > 0 && manifest.resources.length > 0 && manifest.resourceTemplates.length > 0);
    assert.equal(textOf((await run(opened.upstream, callOf('echo', {}, { message: 'hi' }))).answer), 'Echo: hi');
    const { notifications } = await run(
      opened.upstream,
      callOf('trigger-long-running-operation', { wantsProgress: true }, { duration: 0.2, steps: 2 }),
    );
    assert.equal(notifications.length, 2);
    const asking = callOf('trigger-elicitation-request');
    const { answer: held } = await run(opened.upstream, asking);
    assert.ok(held.kind === 'result' && held.park);
    const [key = ''] = Object.keys(held.result['inputRequests'] as object);
    const params = { ...asking.params, inputResponses: { [key]: { action: 'decline' } } };
    const { answer: last } = await run(opened.upstream, { ...asking, params, park: held.park });
    assert.match(textOf(last), /declined/);
  });
}

test('resources - a subscribed resource tells of its change', { timeout }, async () => {
  await using server = await startServer(nodeArgs('v1-server.ts', 'http'));
  await using opened = await openTestUpstream({ url: server.url });
  await opened.state('ready');
  await opened.upstream.setResourceSubscriptions(new Set(['test://a']));
  const [update] = await opened.until(() => (opened.updated.length > 0 ? opened.updated : undefined));
  assert.equal(update?.['uri'], 'test://a');
});
