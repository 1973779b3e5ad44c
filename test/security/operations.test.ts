import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { send } from '../../services/ingress/http/testing/raw-http.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { modern } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { type AnsweringUpstream, startAnsweringUpstream } from './answering-upstream.ts';
import { bearer, dialects, onEveryTransport, talk } from './dialects.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';

const { key, agent } = agentWithKey();
const nasty = [
  '\n{"level":60,"msg":"forged"}',
  '\r\nforged',
  '\u001b[31mred\u001b[0m',
  '\u2028forged',
  '\u0000',
  '%s%n',
  '\u202etxt',
];
let upstream: AnsweringUpstream;
let gateway: Gateway;
let dataDir: string;

before(async () => {
  upstream = await startAnsweringUpstream({
    tools: [echoTool('echo'), echoTool('codes'), ...nasty.map((text) => echoTool(`bad${text}`, { description: text }))],
    answer: ({ id, name, args }) =>
      name === 'codes'
        ? (res) =>
            res
              .writeHead(200, { 'content-type': 'application/json' })
              .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: args['code'], message: 'no' } }))
        : { resultType: 'complete', content: [] },
  });
  dataDir = mkdtempSync(join(tmpdir(), 'toolbus-operations-'));
  gateway = await startGateway({ servers: { up: { url: upstream.url } }, agents: { a: agent } }, { dataDir });
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true, force: true });
});

for (const dialect of dialects) {
  test(`operations ${dialect.name} - whatever names and arguments hold, a line of the log is one JSON object (L1)`, async () => {
    verifies('logs:one-line');
    const caller = await talk(dialect, gateway.origin, bearer(key));
    for (const text of nasty) {
      await caller.ask('tools/call', { name: 'up__echo', arguments: { [text]: text } });
      if (dialect.name !== '2026-07-28') await caller.ask('tools/call', { name: `up__${text}`, arguments: {} });
      await caller.ask('completion/complete', {
        ref: { type: 'ref/prompt', name: text },
        argument: { name: text, value: text },
      });
    }
    caller.close();
    assert.ok(gateway.logs.some((line) => line.includes('a definition is kept from agents') || line.includes('bad')));
    for (const event of gateway.logs) {
      assert.ok(event.endsWith('\n'));
      assert.doesNotMatch(event.slice(0, -1), /[\n\r\u001b\u0000]/, event);
      assert.equal(typeof JSON.parse(event), 'object');
      assert.notEqual((JSON.parse(event) as { msg?: string }).msg, 'forged');
    }
  });

  test(`operations ${dialect.name} - trace context is passed on where it is well-formed, baggage never (L7)`, async () => {
    verifies('trace:checked');
    const trace = 'a'.repeat(32);
    const good = `00-${trace}-${'b'.repeat(16)}-01`;
    const bad = [
      '00-0-0-00',
      `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
      `${good}\u0007`,
      'x'.repeat(9_000),
      `ff${good.slice(2)}`,
    ];
    const reach = async (traceparent: string, more: Record<string, string>) => {
      const from = upstream.calls.length;
      const caller = await talk(dialect, gateway.origin, bearer(key));
      // A modern envelope is made by the dialect; there the headers are what is looked at.
      const meta = dialect.name === '2026-07-28' ? {} : { _meta: { traceparent, ...more } };
      const isHeader = /^[\x20-\x7e]{1,4000}$/.test(traceparent);
      const headers = { ...bearer(key), ...(isHeader && { traceparent, tracestate: 'a=1', baggage: 'user=x' }) };
      await caller.ask('tools/call', { name: 'up__echo', arguments: {}, ...meta }, headers);
      caller.close();
      const call = upstream.calls[from];
      assert.ok(call, 'the call arrived all the same');
      return { headers: call.headers, meta: call.params['_meta'] as Record<string, unknown> };
    };
    for (const traceparent of bad) {
      const { headers, meta } = await reach(traceparent, { tracestate: 'x', baggage: 'b'.repeat(9_000) });
      for (const name of ['traceparent', 'tracestate', 'baggage']) {
        assert.equal(headers[name], undefined, `${name} of ${traceparent.slice(0, 60)}`);
        assert.equal(meta[name], undefined, `_meta.${name} of ${traceparent.slice(0, 60)}`);
      }
    }
    const { headers, meta } = await reach(good, { baggage: 'user=x' });
    assert.equal(headers['traceparent'] ?? meta['traceparent'], good);
    assert.deepEqual([headers['baggage'], meta['baggage']], [undefined, undefined]);
    const traces = await until('the audit has the trace', async () => {
      const seen = (await readAudit(gateway.nats.url)).flatMap((one) => (one.kind === 'intent' ? [one.trace] : []));
      return seen.includes(trace) && seen;
    });
    assert.deepEqual(
      [...new Set(traces)].filter((one) => one !== trace && one !== undefined),
      [],
    );
  });
}

test('operations - the members of a modern envelope that are no trace context go no further (L7)', async () => {
  const from = upstream.calls.length;
  const meta = { traceparent: 'nonsense', tracestate: 'x', baggage: 'user=x', 'com.example/kept': 1 };
  await modern(`${gateway.origin}/mcp`, 'tools/call', { name: 'up__echo', arguments: {} }, { key, meta });
  const got = upstream.calls[from]?.params['_meta'] as Record<string, unknown>;
  assert.deepEqual(
    [got['traceparent'], got['tracestate'], got['baggage'], got['com.example/kept']],
    [undefined, undefined, undefined, 1],
  );
});

test('operations - nothing of the admin listener is on the public one, and it changes nothing (L6)', async () => {
  const admin = Number(new URL(gateway.ingress.admin).port);
  const paths = ['/livez', '/readyz', '/metrics', '/api/servers', '/api/tools', '/', '/api', '/console'];
  for (const path of paths) {
    for (const method of ['GET', 'POST']) {
      const headers = { ...bearer(key), 'content-type': 'application/json' };
      const { status } = await send({
        port: gateway.port,
        method,
        path,
        headers,
        body: method === 'POST' ? '{}' : undefined,
      });
      assert.equal(status, 404, `${method} ${path}`);
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status } = await send({
        port: admin,
        method,
        path,
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      assert.ok([400, 404].includes(status), `${method} ${path} of the admin listener: ${status}`);
    }
  }
  const rebound = await send({ port: admin, method: 'GET', path: '/api/servers', headers: { host: 'evil.test' } });
  assert.equal(rebound.status, 403);
});

test('operations - headers that name another method or tool than the body are refused, where they mean anything (E13)', async (t) => {
  await onEveryTransport(t, { port: gateway.port, key }, async (wire) => {
    const request = () => wire.request('tools/call', { name: 'up__echo', arguments: {} });
    for (const headers of [{ 'mcp-method': 'tools/list' }, { 'mcp-name': 'up__codes' }]) {
      const asked = request();
      const { status, message } = await wire.send({ ...asked, headers: { ...asked.headers, ...headers } });
      // Revisions before 2026-07-28 know no such header: the body alone counts, and nothing may be routed by a header.
      if (wire.name === '2026-07-28') assert.deepEqual([status, message?.error?.code], [400, -32020]);
      else assert.deepEqual([status < 300, message?.error], [true, undefined]);
    }
  });
});
