import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { OperatorError } from '../../../shared/errors.ts';
import { startTestServer, type TestServer } from './testing/public-server.ts';
import { modern, type RawRequest, send, sendBytes } from './testing/raw-http.ts';

const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
const list = modern('tools/list');

async function statusOf(server: TestServer, request: Partial<RawRequest> = {}): Promise<number> {
  const headers = { ...list.headers, ...request.headers };
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  return (await send({ port: server.port, body: list.body, ...request, headers: given })).status;
}

/** The request line and the headers of a correct request, to be spoilt. */
const head = [
  'POST /mcp HTTP/1.1',
  ...Object.entries(list.headers).map(([name, value]) => `${name}: ${value}`),
  'Connection: close',
].join('\r\n');
const rawBody = `Content-Length: ${list.body.length}\r\n\r\n${list.body}`;

const origins: [origin: string | undefined, host: string | undefined, status: number][] = [
  [undefined, undefined, 200],
  ['http://localhost:6274', undefined, 200],
  ['https://127.0.0.1', undefined, 200],
  ['http://[::1]:3000', undefined, 200],
  ['HTTP://LocalHost', undefined, 200],
  ['https://app.example', undefined, 200],
  ['https://ports.example:9', undefined, 200],
  ['vscode-file://vscode-app', undefined, 200],
  ['https://evil.test', undefined, 403],
  ['http://app.example', undefined, 403],
  ['https://app.example.evil.test', undefined, 403],
  ['https://localhost.evil.test', undefined, 403],
  ['http://localhost@evil.test', undefined, 403],
  ['chrome-extension://localhost', undefined, 403],
  ['null', undefined, 403],
  ['', undefined, 403],
  ['localhost', undefined, 403],
  [undefined, 'localhost:1', 200],
  [undefined, 'LOCALHOST', 200],
  [undefined, '[::1]:80', 200],
  [undefined, 'gateway.example', 200],
  [undefined, 'gateway.example:8443', 200],
  [undefined, 'fixed.example:8443', 200],
  [undefined, 'fixed.example:1', 403],
  [undefined, 'evil.test', 403],
  [undefined, 'localhost.evil.test', 403],
  [undefined, 'x/?', 400],
  [undefined, 'localhost:x', 400],
  [undefined, 'a@localhost', 400],
];

test('public listener - Host and Origin are checked before anything else (E1, E3)', async (t) => {
  const access = {
    allowedHosts: ['gateway.example', 'fixed.example:8443'],
    allowedOrigins: ['https://app.example', 'ports.example', 'vscode-file://vscode-app'],
  };
  // Nobody has a key: 401 means that the check let the request pass.
  await using server = await startTestServer({ config: { auth: { mode: 'keys' }, access } });
  for (const [origin, host, status] of origins) {
    await t.test(`Origin ${origin ?? 'absent'}, Host ${host ?? 'own'}`, async () => {
      const headers = { ...(origin === undefined ? {} : { origin }), ...(host === undefined ? {} : { host }) };
      assert.equal(await statusOf(server, { headers }), status === 200 ? 401 : status);
      assert.equal(await statusOf(server, { headers, path: '/nothing' }), status === 200 ? 404 : status);
    });
  }
});

test('public listener - on other addresses Host is free unless some are allowed, Origin is not', async () => {
  const hash1 = { agents: { a: { keys: [hash('k')] } }, auth: { mode: 'keys' } };
  await using open = await startTestServer({ host: '0.0.0.0', config: hash1 });
  const authorization = 'Bearer k';
  assert.equal(await statusOf(open, { headers: { authorization, host: 'any.example' } }), 200);
  assert.equal(await statusOf(open, { headers: { authorization, origin: 'http://localhost' } }), 403);
  open.setConfig({ ...hash1, access: { allowedHosts: ['gw.example'] } });
  assert.equal(await statusOf(open, { headers: { authorization, host: 'any.example' } }), 403);
  assert.equal(await statusOf(open, { headers: { authorization, host: 'gw.example' } }), 200);
});

test('public listener - refuses to start on other addresses without authentication (E1)', async () => {
  await assert.rejects(startTestServer({ host: '0.0.0.0' }), OperatorError);
  const auth = { mode: 'oauth', issuers: ['https://issuer.test'] };
  await assert.rejects(startTestServer({ host: '0.0.0.0', config: { auth } }), /auth.resource is missing/);
});

test('public listener - answers no preflight (E5)', async () => {
  await using server = await startTestServer();
  const headers = { origin: 'http://localhost', 'access-control-request-method': 'POST' };
  const answer = await send({ port: server.port, method: 'OPTIONS', headers });
  assert.equal(answer.status, 404);
  assert.equal(answer.headers['access-control-allow-origin'], undefined);
});

const smuggled: [name: string, bytes: string, status: RegExp][] = [
  ['two Host headers (E2)', `${head}\r\nHost: localhost\r\nHost: evil.test\r\n${rawBody}`, /^HTTP\/1.1 400/],
  ['no Host header', `${head}\r\n${rawBody}`, /^HTTP\/1.1 400/],
  ['one Host header', `${head}\r\nHost: localhost\r\n${rawBody}`, /^HTTP\/1.1 200/],
  ['two lengths (E6)', `${head}\r\nHost: localhost\r\nContent-Length: 5\r\n${rawBody}`, /^HTTP\/1.1 400/],
  [
    'length and chunks (E6)',
    `${head}\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n${rawBody}`,
    /^HTTP\/1.1 400/,
  ],
  [
    'an unknown coding (E6)',
    `${head}\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n${list.body}`,
    /^HTTP\/1.1 4\d\d/,
  ],
  ['a bare line feed (E6)', `${head}\r\nHost: localhost\nX: y\r\n${rawBody}`, /^HTTP\/1.1 400/],
  ['a bare carriage return (E6)', `${head}\r\nHost: localhost\r\nX: a\rb\r\n${rawBody}`, /^HTTP\/1.1 400/],
];

for (const [name, bytes, status] of smuggled) {
  test(`public listener - ${name} answers ${status.source.slice(-5)}`, async () => {
    await using server = await startTestServer();
    const answer = await sendBytes(server.port, bytes);
    assert.match(answer, status);
    assert.equal(answer.split('HTTP/1.1').length, 2, 'exactly one answer');
    assert.ok(server.requests.length <= 1);
  });
}

test('public listener - takes JSON alone (E4, E15)', async () => {
  await using server = await startTestServer();
  const of = (type: string | undefined) => statusOf(server, { headers: { 'content-type': type } });
  assert.equal(await of('application/json; charset=utf-8'), 200);
  assert.equal(await of('Application/JSON'), 200);
  for (const type of [
    'text/plain',
    'application/json\ta',
    'application/jsonx',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    undefined,
  ]) {
    assert.equal(await of(type), 415, type);
  }
  const gzip = { 'content-encoding': 'gzip' };
  assert.equal(await statusOf(server, { headers: gzip, body: gzipSync(list.body) }), 415);
  assert.equal(await statusOf(server, { headers: { 'content-encoding': 'identity' } }), 200);
});

test('public listener - counts the bytes of a body, whatever its headers say (E8)', async () => {
  await using server = await startTestServer({ config: { limits: { bodyBytes: 1000 } } });
  const padded = (length: number) => list.body.padEnd(length);
  assert.equal(await statusOf(server, { body: padded(1000) }), 200);
  assert.equal(await statusOf(server, { body: padded(1001) }), 413);
  const chunked = { 'transfer-encoding': 'chunked' };
  assert.equal(await statusOf(server, { body: padded(1000), headers: chunked }), 200);
  assert.equal(await statusOf(server, { body: padded(1001), headers: chunked }), 413);
  assert.equal(await statusOf(server, { headers: { filler: 'x'.repeat(20_000) } }), 431);
  server.setConfig({ limits: { bodyBytes: 2000 } });
  assert.equal(await statusOf(server, { body: padded(2000) }), 200);
});

test('public listener - cuts slow headers and slow bodies, and nobody else (E7)', async () => {
  await using server = await startTestServer({ timeouts: { requestMs: 1000, headersMs: 500 } });
  const slowHeaders = sendBytes(server.port, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ');
  const slowBody = sendBytes(server.port, `${head}\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`);
  assert.equal(await statusOf(server), 200);
  assert.match(await slowHeaders, /^HTTP\/1.1 408/);
  assert.match(await slowBody, /^HTTP\/1.1 408/);
});

test('public listener - a depth bomb is refused and the next request served (E9)', async () => {
  await using server = await startTestServer();
  const bomb = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
  const answer = await send({ port: server.port, headers: list.headers, body: bomb });
  assert.deepEqual([answer.status, JSON.parse(answer.body).error.code], [400, -32600]);
  assert.equal(await statusOf(server), 200);
});

test('public listener - an IP allow-list goes by the address that is known, not by what a stranger writes (E17)', async () => {
  const access = { allowIps: ['10.0.0.0/8', '64:ff9b::c000:200/120'] };
  await using server = await startTestServer({ config: { access } });
  const from = (forwarded: string) => statusOf(server, { headers: { 'x-forwarded-for': forwarded } });
  assert.equal(await statusOf(server), 403);
  assert.equal(await from('10.0.0.1'), 403);
  server.setConfig({ access: { ...access, trustedProxies: ['127.0.0.0/8'] } });
  assert.equal(await from('10.0.0.1'), 200);
  assert.equal(await from('203.0.113.1, 10.0.0.1'), 200);
  assert.equal(await from('10.0.0.1, 203.0.113.1'), 403);
  for (const spelling of ['::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:a00:1::', '192.0.2.9']) {
    assert.equal(await from(spelling), 200, spelling);
  }
  for (const spelling of ['::ffff:11.0.0.1', '2001:db8::1', '10.0.0.1%eth0', 'unknown']) {
    assert.equal(await from(spelling), 403, spelling);
  }
});

test('public listener - an agent may be tied to addresses', async () => {
  const agents = { near: { keys: [hash('n')], ips: ['127.0.0.0/8'] }, far: { keys: [hash('f')], ips: ['10.0.0.0/8'] } };
  await using server = await startTestServer({ config: { auth: { mode: 'keys' }, agents } });
  assert.equal(await statusOf(server, { headers: { authorization: 'Bearer n' } }), 200);
  assert.equal(await statusOf(server, { headers: { authorization: 'Bearer f' } }), 403);
});

const routes: [method: string, path: string][] = [
  ['POST', '/mcp'],
  ['GET', '/mcp'],
  ['DELETE', '/mcp'],
  ['POST', '/mcp/demo'],
  ['GET', '/mcp/demo'],
  ['DELETE', '/mcp/demo'],
  ['GET', '/sse'],
  ['GET', '/sse/demo'],
  ['POST', '/messages?sessionId=s'],
];

test('public listener - every route asks for a key, before it reads a body', async () => {
  const config = { auth: { mode: 'keys' }, agents: { ann: { keys: [hash('k')] } } };
  await using server = await startTestServer({ config, developmentKey: 'dev' });
  for (const [method, path] of routes) {
    for (const authorization of [undefined, 'Bearer wrong', `Bearer ${hash('k')}`]) {
      const answer = await send({ port: server.port, method, path, headers: authorization ? { authorization } : {} });
      assert.equal(answer.status, 401, `${method} ${path}`);
      assert.equal(answer.headers['www-authenticate'], 'Bearer');
    }
  }
  assert.equal(await statusOf(server, { body: 'x'.repeat(2_000_000) }), 401);
  assert.equal(await statusOf(server, { headers: { authorization: 'Bearer k' } }), 200);
  assert.equal(await statusOf(server, { headers: { authorization: 'Bearer dev' } }), 200);
  assert.deepEqual(
    server.requests.map(({ principal }) => principal.id),
    ['ann', 'development'],
  );
});

test('public listener - hands each route to its edge', async () => {
  await using server = await startTestServer({ config: { toolsets: { research: { tools: ['*'] } } } });
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const headers = { 'content-type': 'application/json' };
  const reach = async (method: string, path: string) => {
    const answer = await send({ port: server.port, method, path, ...(method === 'POST' ? { headers, body } : {}) });
    assert.equal(answer.status, 200, `${method} ${path}`);
    const { legacy, endpoint } = JSON.parse(answer.body);
    return [legacy, endpoint.kind, endpoint.name];
  };
  assert.deepEqual(await reach('POST', '/mcp'), ['post', 'all', undefined]);
  assert.deepEqual(await reach('POST', '/mcp/demo'), ['post', 'server', 'demo']);
  assert.deepEqual(await reach('POST', '/mcp/research'), ['post', 'toolset', 'research']);
  assert.deepEqual(await reach('GET', '/mcp/demo'), ['get', 'server', 'demo']);
  assert.deepEqual(await reach('DELETE', '/mcp'), ['delete', 'all', undefined]);
  assert.deepEqual(await reach('GET', '/sse'), ['openSse', 'all', undefined]);
  assert.deepEqual(await reach('GET', '/sse/demo'), ['openSse', 'server', 'demo']);
  assert.deepEqual(await reach('POST', '/messages?sessionId=s'), ['postMessage s', 'all', undefined]);
});

test('public listener - everything else is not there', async () => {
  await using server = await startTestServer({ config: { auth: { mode: 'keys' } } });
  const absent: [string, string][] = [
    ['GET', '/'],
    ['GET', '/metrics'],
    ['PUT', '/mcp'],
    ['HEAD', '/mcp'],
    ['POST', '/mcp/a/b'],
    ['GET', '/messages'],
    ['GET', '/.well-known/oauth-protected-resource'],
  ];
  for (const [method, path] of absent) {
    assert.equal((await send({ port: server.port, method, path })).status, 404, `${method} ${path}`);
  }
});

test('public listener - GET and DELETE of a modern agent are not allowed', async () => {
  await using server = await startTestServer();
  for (const method of ['GET', 'DELETE']) {
    const answer = await send({ port: server.port, method, headers: { 'mcp-protocol-version': '2026-07-28' } });
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST']);
    const legacy = await send({ port: server.port, method, headers: { 'mcp-protocol-version': '2025-11-25' } });
    assert.equal(legacy.status, 200);
  }
});

test('public listener - a body that breaks off is dropped', async () => {
  await using server = await startTestServer();
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`${head}\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"jsonrpc"`);
  socket.destroy();
  assert.equal(await statusOf(server), 200);
  assert.equal(server.requests.length, 1);
});

test('public listener - a broken new configuration leaves the old door', async () => {
  const agents = { ann: { keys: [hash('k')] } };
  await using server = await startTestServer({ config: { auth: { mode: 'keys' }, agents } });
  server.setConfig({ auth: { mode: 'keys' }, agents: { ...agents, bob: agents.ann } });
  assert.equal(await statusOf(server), 401);
  assert.equal(await statusOf(server, { headers: { authorization: 'Bearer k' } }), 200);
});

test('public listener - one connection serves many requests', async () => {
  await using server = await startTestServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (let i = 0; i < 3; i += 1) {
    const req = http.request({
      agent,
      port: server.port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/mcp',
      headers: list.headers,
    });
    req.end(list.body);
    const [res] = await once(req, 'response');
    ports.add(req.socket?.localPort);
    await once(res.resume(), 'end');
  }
  agent.destroy();
  assert.equal(ports.size, 1);
});
