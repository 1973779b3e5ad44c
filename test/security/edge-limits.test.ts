import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { type Outcome, onEveryTransport, type Talk, type WireRequest } from './dialects.ts';
import { startGateway } from './gateway.ts';

const { key, agent } = agentWithKey();
const agents = { ann: agent };

const codeOf = ({ message }: Outcome): number | undefined => message?.error?.code;
const withBody = (request: WireRequest, body: string | Buffer): WireRequest => ({ ...request, body });
/** The correct request padded with blanks, which JSON ignores. */
const padded = (request: WireRequest, length: number) => withBody(request, String(request.body).padEnd(length));
/** The correct request with one member more. */
const withMember = (request: WireRequest, member: string) =>
  withBody(request, String(request.body).replace(/\}$/, `,${member}}`));

async function assertServes(wire: Talk): Promise<void> {
  const answer = await wire.send(wire.request('tools/list'));
  assert.ok(answer.message?.result, `${answer.status} ${answer.body}`);
}

test('edge limits - bodies and headers are bounded in bytes, whatever they say of themselves (E8)', async (t) => {
  verifies('limits:edge');
  await using gateway = await startGateway({ agents, limits: { bodyBytes: 2_000 } });
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    const chunked = (request: WireRequest) => ({
      ...request,
      headers: { ...request.headers, 'transfer-encoding': 'chunked' },
    });
    assert.ok((await wire.send(padded(wire.request('tools/list'), 2_000))).message?.result);
    assert.ok((await wire.send(chunked(padded(wire.request('tools/list'), 2_000)))).message?.result);
    const over = await wire.send(padded(wire.request('tools/list'), 2_001));
    assert.deepEqual([over.status, codeOf(over)], [413, -32600]);
    assert.equal((await wire.send(chunked(padded(wire.request('tools/list'), 2_001)))).status, 413);
    const list = wire.request('tools/list');
    assert.equal((await wire.send({ ...list, headers: { ...list.headers, filler: 'x'.repeat(20_000) } })).status, 431);
    await assertServes(wire);
  });
});

const spoilt: [name: string, status: number, code: number, spoil: (request: WireRequest) => WireRequest][] = [
  ['depth 65 (E9)', 400, -32600, (request) => withMember(request, `"x":${'['.repeat(64)}${']'.repeat(64)}`)],
  [
    'depth 100,000 (E9)',
    400,
    -32600,
    (request) => withMember(request, `"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
  ],
  [
    '10,001 members (E9)',
    400,
    -32600,
    (request) => withMember(request, `"x":{${Array.from({ length: 10_001 }, (_, n) => `"k${n}":1`).join(',')}}`),
  ],
  ['a member twice (E10)', 400, -32600, (request) => withMember(request, '"method":"tools/call"')],
  ['a member twice, escaped (E10)', 400, -32600, (request) => withMember(request, '"\\u006dethod":"tools/call"')],
  [
    'Method for method (E10)',
    400,
    -32600,
    (request) => withBody(request, String(request.body).replace('"method"', '"Method"')),
  ],
  [
    'an id beyond 2^53 (E11)',
    400,
    -32600,
    (request) => withBody(request, String(request.body).replace(/"id":\d+/, '"id":9007199254740993')),
  ],
  [
    'bytes that are no UTF-8 (E11)',
    400,
    -32700,
    (request) =>
      withBody(
        request,
        Buffer.concat([
          Buffer.from(String(request.body).slice(0, -1)),
          Buffer.from([0x2c, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
        ]),
      ),
  ],
  ['a number beyond all (E11)', 400, -32600, (request) => withMember(request, '"x":1e400')],
  ['__proto__ (E12)', 400, -32600, (request) => withMember(request, '"__proto__":{"x":1}')],
  ['half a body', 400, -32700, (request) => withBody(request, String(request.body).slice(0, -3))],
];

for (const [name, status, code, spoil] of spoilt) {
  test(`edge limits - ${name} is refused with ${status} and ${code}, and the next request is served`, async (t) => {
    await using gateway = await startGateway({ agents });
    await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
      const answer = await wire.send(spoil(wire.request('tools/list')));
      assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.body);
      await assertServes(wire);
    });
  });
}

test('edge limits - a body that was refused is in the audit, in every revision (E9)', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'toolbus-edge-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  await using gateway = await startGateway({ agents }, { dataDir });
  const recorded = async () => {
    const records = await readAudit(gateway.nats.url);
    return records.reduce(
      (sum, one) => sum + (one.kind === 'refusal' && one.reason === 'bad_request' ? one.count : 0),
      0,
    );
  };
  let refused = 0;
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    const answer = await wire.send(withMember(wire.request('tools/list'), `"x":${'['.repeat(64)}${']'.repeat(64)}`));
    assert.equal(answer.status, 400);
    refused += 1;
    await until('the refusal is recorded', async () => (await recorded()) >= refused);
  });
});

test('edge limits - the bounds of the configuration hold, and change with it', async (t) => {
  await using gateway = await startGateway({ agents, limits: { stringLength: 300, jsonDepth: 6 } });
  const long = (request: WireRequest) => withMember(request, `"x":"${'y'.repeat(301)}"`);
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    assert.equal((await wire.send(long(wire.request('tools/list')))).status, 400);
    assert.equal((await wire.send(withMember(wire.request('tools/list'), '"x":[[[[[[]]]]]]'))).status, 400);
    await assertServes(wire);
  });
  gateway.reload({ agents });
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    assert.ok((await wire.send(long(wire.request('tools/list')))).message?.result);
  });
});

test('edge limits - connections are bounded, and so are requests on one', async () => {
  await using gateway = await startGateway({ agents, limits: { connections: 2, requestsPerConnection: 3 } });
  const { port } = gateway;
  const connect = async () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  const held = [await connect(), await connect()];
  const third = await connect();
  await once(third, 'close');
  for (const socket of held) socket.destroy();
  await until('the listener has seen them go', async () => (await fetch(`${gateway.origin}/nothing`)).status === 404);

  const pool = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const connections: (string | undefined)[] = [];
  for (let count = 0; count < 3; count += 1) {
    const req = http.get({ agent: pool, host: '127.0.0.1', port, path: '/nothing' });
    const [res] = (await once(req, 'response')) as [http.IncomingMessage];
    connections.push(res.headers.connection);
    await once(res.resume(), 'end');
  }
  pool.destroy();
  assert.deepEqual(connections, ['keep-alive', 'keep-alive', 'close']);
});

test('edge limits - guessing keys ends in 429, for a whole /64, and nobody who is known suffers (E19)', async () => {
  verifies('limits:strangers');
  const access = { trustedProxies: ['127.0.0.0/8'] };
  const limits = { unauthenticated: { rate: '1/h', burst: 20 } };
  await using gateway = await startGateway({ agents, access, limits });
  // As agents of every revision and transport knock: all spend the same attempts.
  const doors: [method: string, path: string, version?: string][] = [
    ['POST', '/mcp', '2026-07-28'],
    ['POST', '/mcp', '2025-11-25'],
    ['POST', '/mcp', '2025-06-18'],
    ['POST', '/mcp', '2025-03-26'],
    ['GET', '/sse'],
    ['POST', '/messages?sessionId=x'],
  ];
  const knock = async (from: string, bearer: string, door = 0) => {
    const [method = '', path = '', version] = doors[door % doors.length] ?? [];
    const headers = { authorization: `Bearer ${bearer}`, 'x-forwarded-for': from, 'content-type': 'application/json' };
    return fetch(gateway.origin + path, {
      method,
      headers: { ...headers, ...(version !== undefined && { 'mcp-protocol-version': version }) },
      ...(method === 'POST' && { body: '{}' }),
    });
  };
  const statuses: number[] = [];
  let last: Response | undefined;
  for (let count = 0; count < 1_000; count += 1) {
    last = await knock(`2001:db8:1:2::${count.toString(16)}`, `guess-${count}`, count);
    statuses.push(last.status);
    if (count < 999) await last.arrayBuffer();
  }
  assert.deepEqual(statuses, [...new Array(20).fill(401), ...new Array(980).fill(429)]);
  const retryAfter = Number(last?.headers.get('retry-after'));
  assert.ok(retryAfter > 0 && retryAfter <= 3_600, `${retryAfter}`);
  const { error } = (await last?.json()) as { error: { code: number; data: Record<string, unknown> } };
  assert.deepEqual([error.code, error.data['reason'], error.data['executed']], [-31001, 'rate_limited', 'no']);
  assert.equal((await knock('2001:db8:1:2::1', key)).status, 429, 'the right key among guesses is not looked at');
  assert.notEqual((await knock('2001:db8:1:3::1', key)).status, 429);
  assert.equal((await knock('2001:db8:1:3::1', 'guess')).status, 401);
});

test('edge limits - without names, requests are limited by address (E19)', async () => {
  const access = { trustedProxies: ['127.0.0.0/8'] };
  const limits = { requests: { rate: '1/h', burst: 10 } };
  await using gateway = await startGateway({ auth: { mode: 'none' }, access, limits });
  const list = async (from: string) => {
    const headers = { 'x-forwarded-for': from, 'content-type': 'application/json' };
    return (await fetch(`${gateway.origin}/mcp`, { method: 'POST', headers, body: '{}' })).status;
  };
  const statuses: number[] = [];
  for (let count = 0; count < 100; count += 1) statuses.push(await list(`2001:db8:1:2:${count.toString(16)}::1`));
  assert.deepEqual(statuses, [...new Array(10).fill(400), ...new Array(90).fill(429)]);
  assert.equal(await list('2001:db8:1:3::1'), 400);
});

test('edge limits - a used up limit says so with status, code, time and executed; on a legacy stream in band', async (t) => {
  verifies('limits:refusal');
  const limited = { ...agent, limits: { rate: '1/h', burst: 1 } };
  await using gateway = await startGateway({ agents: { ann: limited } });
  let exhausted = false;
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    const guess = () => wire.send(wire.request('tools/call', { name: 'no-such-tool', arguments: {} }));
    if (!exhausted) assert.equal(codeOf(await guess()), -32602, 'an unknown tool costs a token');
    exhausted = true;
    const answer = await guess();
    const error = answer.message?.error;
    const { reason, executed, retryAfterMs, callId } = error?.data ?? {};
    assert.deepEqual([error?.code, reason, executed], [-31001, 'rate_limited', 'no']);
    assert.match(String(callId), /^[0-9A-Z]{26}$/);
    assert.ok(typeof retryAfterMs === 'number' && retryAfterMs > 0 && retryAfterMs <= 3_600_000);
    const inBand = wire.name.endsWith('SSE');
    assert.equal(answer.status, inBand ? 202 : 429);
    if (!inBand) assert.equal(answer.headers.get('retry-after'), String(Math.ceil(retryAfterMs / 1000)));
    await assertServes(wire);
  });
});
