import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createAuthority } from '../helpers/certificates.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { bearer, dialects, onEveryTransport, talk } from './dialects.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { key, agent } = agentWithKey();
const page = 'https://console.example.com';
let gateway: Gateway;

const config = (access: object = {}) => ({ agents: { a: agent }, access });

before(async () => {
  gateway = await startGateway(config());
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
}

/** `fetch` sends no Host and no Origin of ours. */
function send(
  method: string,
  path: string,
  headers: http.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: gateway.port, method, path, headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
      response.destroy();
    });
    request.end(body);
  });
}

/** Bytes as they are; resolves with what came until the connection closed. */
function sendBytes(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(gateway.port, '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** The first request of an agent of each dialect, as method, path, headers and body. */
const firsts = dialects.map((dialect) => {
  const sse = dialect.path() === '/sse';
  const modern = dialect.name.startsWith('2026');
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { protocolVersion: dialect.name, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const message = modern
    ? { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }
    : { jsonrpc: '2.0', id: 1, method: 'initialize', params };
  return {
    name: dialect.name,
    method: sse ? 'GET' : 'POST',
    path: dialect.path(),
    headers: {
      host: `127.0.0.1`,
      ...bearer(key),
      accept: 'application/json, text/event-stream',
      ...(!sse && { 'content-type': 'application/json' }),
      ...(modern && { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }),
    },
    body: sse ? undefined : JSON.stringify(message),
  };
});

for (const { name, method, path, headers, body } of firsts) {
  const ask = (more: http.OutgoingHttpHeaders, text: string | Buffer | undefined = body) =>
    send(method, path, { ...headers, ...more }, text);

  test(`network ${name} - Host and Origin come before all else (E1, E3)`, async () => {
    verifies('agent:origin-host');
    assert.equal((await ask({})).status, 200);
    for (const origin of ['https://evil.test', 'null', 'http://localhost.evil.test', 'file://'])
      assert.equal((await ask({ origin })).status, 403, origin);
    for (const host of ['evil.test', 'localhost.evil.test', '10.0.0.1'])
      assert.equal((await ask({ host })).status, 403, host);
    for (const host of ['x/?', 'a b', '[::1', 'localhost:x']) assert.equal((await ask({ host })).status, 400, host);
    assert.equal((await ask({ origin: 'https://evil.test', authorization: 'Bearer x' })).status, 403);
  });

  test(`network ${name} - two Host or Authorization headers are 400 (E2)`, async () => {
    verifies('agent:origin-host');
    const head = `${method} ${path} HTTP/1.1\r\nConnection: close\r\nAccept: */*\r\n`;
    const auth = `Authorization: Bearer ${key}\r\n`;
    assert.match(await sendBytes(`${head}Host: localhost\r\nHost: evil.test\r\n${auth}\r\n`), /^HTTP\/1.1 400/);
    assert.match(await sendBytes(`${head}Host: localhost\r\n${auth}Authorization: Bearer x\r\n\r\n`), /^HTTP\/1.1 400/);
  });

  test(`network ${name} - an address decides by the socket, or by trusted proxies (E17, E18)`, async () => {
    verifies('access:addresses');
    const from = async (access: object, forwarded?: string) => {
      gateway.reload(config(access));
      return (await ask(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded })).status;
    };
    const allowIps = ['10.0.0.0/8'];
    const trustedProxies = ['127.0.0.0/8'];
    assert.equal(await from({ allowIps }, '10.0.0.1'), 403, 'a stranger writes what he likes');
    assert.equal(await from({ allowIps, trustedProxies }, '10.0.0.1'), 200);
    assert.equal(await from({ allowIps, trustedProxies }, '10.0.0.1, 192.0.2.1'), 403, 'the rightmost counts');
    assert.equal(await from({ allowIps, trustedProxies }, '192.0.2.1, 10.0.0.1'), 200);
    for (const inside of ['::ffff:10.0.0.1', '::ffff:a00:1', '64:ff9b::a00:1', '2002:a00:1::1'])
      assert.equal(await from({ allowIps, trustedProxies }, inside), 200, inside);
    for (const outside of ['fe80::1%eth0', '::ffff:11.0.0.1', '0x0a.0.0.1', 'fec0::1', 'localhost'])
      assert.equal(await from({ allowIps, trustedProxies }, outside), 403, outside);
    gateway.reload({ agents: { a: { ...agent, ips: ['10.0.0.0/8'] } }, access: { trustedProxies } });
    assert.equal((await ask({ 'x-forwarded-for': '10.0.0.1' })).status, 200);
    assert.equal((await ask({ 'x-forwarded-for': '192.0.2.1' })).status, 403, 'the agent is tied to its addresses');
    gateway.reload(config());
  });

  test(`network ${name} - CORS is closed but for allowed origins (E5)`, async () => {
    verifies('access:cors');
    const preflight = (origin: string) =>
      send('OPTIONS', path, {
        host: '127.0.0.1',
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,mcp-session-id,mcp-param-region,x-other',
      });
    for (const origin of [page, 'http://localhost:6274', 'http://127.0.0.1:3000']) {
      const closed = await preflight(origin);
      assert.equal(closed.headers['access-control-allow-origin'], undefined);
      assert.ok(closed.status === 403 || closed.status === 404);
    }
    gateway.reload(config({ allowedOrigins: [page] }));
    const { status, headers: answer } = await preflight(page);
    assert.equal(status, 204);
    assert.equal(answer['access-control-allow-origin'], page);
    assert.equal(answer['access-control-allow-headers'], 'authorization, mcp-session-id, mcp-param-region');
    assert.equal(answer['access-control-allow-credentials'], undefined);
    const real = await ask({ origin: page });
    assert.equal(real.status, 200);
    assert.equal(real.headers['access-control-allow-origin'], page);
    const exposed = String(real.headers['access-control-expose-headers']);
    for (const one of ['Mcp-Session-Id', 'MCP-Protocol-Version', 'WWW-Authenticate', 'Server-Timing', 'Retry-After'])
      assert.ok(exposed.includes(one), one);
    const refused = await ask({ origin: page, authorization: 'Bearer wrong' });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers['access-control-allow-origin'], page, 'a page can read why');
    assert.equal((await preflight('https://evil.test')).status, 403);
    gateway.reload(config());
  });
}

test('network - takes JSON alone, and nothing compressed (E4, E15)', async (t) => {
  verifies('agent:origin-host');
  await onEveryTransport(t, { port: gateway.port, key }, async (conversation) => {
    const list = conversation.request('tools/list');
    const statusOf = async (headers: http.OutgoingHttpHeaders, text = list.body) =>
      (await conversation.send({ ...list, headers: { ...list.headers, ...headers }, body: text })).status;
    for (const type of [
      'text/plain',
      'application/json\ta',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
    ])
      assert.equal(await statusOf({ 'content-type': type }), 415, type);
    for (const encoding of ['gzip', 'GZIP', 'br', 'deflate', 'gzip, identity'])
      assert.equal(await statusOf({ 'content-encoding': encoding }, gzipSync(list.body)), 415, encoding);
    assert.ok((await conversation.send(list)).message?.result);
  });
});

test('network - Host, Origin and address are asked for in every request of a conversation (E1, E2, E3, E17)', async (t) => {
  verifies('agent:origin-host', 'access:addresses');
  await onEveryTransport(t, { port: gateway.port, key }, async (conversation) => {
    const list = conversation.request('tools/list');
    const statusOf = async (headers: http.OutgoingHttpHeaders) =>
      (await conversation.send({ ...list, headers: { ...list.headers, ...headers } })).status;
    for (const headers of [{ origin: 'https://evil.test' }, { origin: 'null' }, { host: 'evil.test' }])
      assert.equal(await statusOf(headers), 403, JSON.stringify(headers));
    assert.equal(await statusOf({ host: 'x/?' }), 400);
    const lines = Object.entries(list.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const hosts = 'Host: localhost\r\nHost: localhost\r\nConnection: close\r\n';
    const head = `POST ${list.path} HTTP/1.1\r\n${hosts}${lines.join('')}Content-Length: ${list.body.length}\r\n\r\n`;
    assert.match(await sendBytes(head + list.body), /^HTTP\/1.1 400/);
    assert.ok((await conversation.send(list)).message?.result);
    gateway.reload(config({ allowIps: ['10.0.0.0/8'] }));
    assert.equal(await statusOf({ 'x-forwarded-for': '10.0.0.1' }), 403);
    gateway.reload(config());
  });
});

test('network - forms that two servers read differently are refused, and the connection closed (E6)', async () => {
  verifies('agent:origin-host');
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  const forms = [
    `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
    `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    `${head}Transfer-Encoding: xchunked\r\n\r\n{}`,
    `${head}Transfer-Encoding: chunked, identity\r\n\r\n{}`,
    `${head}X: a\rb\r\nContent-Length: 2\r\n\r\n{}`,
    `${head.slice(0, -2)}\nContent-Length: 2\r\n\r\n{}`,
    `${head}Content-Length: +2\r\n\r\n{}`,
    `${head}Content-Length : 2\r\n\r\n{}`,
  ];
  for (const form of forms) {
    const answer = await sendBytes(`${form}GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 4\d\d/, JSON.stringify(form.slice(head.length)));
    assert.equal(answer.split('HTTP/1.1').length, 2, 'what follows is not taken for a request');
  }
});

test('network - the listener speaks HTTPS, and takes a new certificate while it runs', async () => {
  verifies('access:tls');
  const directory = mkdtempSync(join(tmpdir(), 'toolbus-tls-'));
  const authority = createAuthority(directory);
  const [first, second] = [authority.issue('first'), authority.issue('second')];
  const live = { cert: join(directory, 'live.pem'), key: join(directory, 'live.key') };
  const put = (pair: typeof first) => {
    writeFileSync(live.key, readFileSync(pair.key));
    writeFileSync(live.cert, readFileSync(pair.cert));
  };
  put(first);
  const secure = await startGateway({ agents: { a: agent }, tls: live });
  try {
    assert.match(secure.ingress.mcp, /^https:\/\//);
    const ca = readFileSync(authority.ca);
    const look = () =>
      new Promise<{ status: number; subject: string }>((resolve, reject) => {
        const url = `${secure.origin}/mcp`;
        https
          .get(url, { ca, agent: false, headers: bearer('wrong') }, (response) => {
            const { socket } = response;
            const subject =
              'getPeerCertificate' in socket ? String((socket as never as Peer).getPeerCertificate().subject.CN) : '';
            resolve({ status: response.statusCode ?? 0, subject });
            response.destroy();
          })
          .on('error', reject);
      });
    assert.deepEqual(await look(), { status: 401, subject: 'first' });
    writeFileSync(live.cert, 'no certificate');
    await until('the bad one was seen', () => secure.logs.some((line) => line.includes('certificate is refused')));
    assert.deepEqual(await look(), { status: 401, subject: 'first' });
    put(second);
    await until('the new one is served', async () => (await look()).subject === 'second');
  } finally {
    await secure[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
});

interface Peer {
  getPeerCertificate(): { readonly subject: { readonly CN: string } };
}

test('network - an allowed origin gets a whole conversation', async () => {
  verifies('access:cors');
  gateway.reload(config({ allowedOrigins: [page] }));
  for (const dialect of dialects) {
    const conversation = await talk(dialect, gateway.origin, { ...bearer(key), origin: page });
    const { status, headers } = await conversation.ask('tools/list');
    assert.deepEqual([status, headers.get('access-control-allow-origin')], [200, page]);
    conversation.close();
  }
  gateway.reload(config());
});
