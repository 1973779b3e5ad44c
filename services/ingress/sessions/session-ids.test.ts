import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../../shared/mcp/call.ts';
import { createSealer } from '../../../shared/seal.ts';
import type { SessionFacts } from './legacy-session.ts';
import { createSessionIds, sessionTtlMs } from './session-ids.ts';

const alice: Principal = { id: 'alice', method: 'key' };
const facts: SessionFacts = {
  protocolVersion: '2025-11-25',
  capabilities: { elicitation: { form: {} }, roots: { listChanged: true } },
  clientInfo: { name: 'probe', version: '1.2.3' },
};
const all = { kind: 'all' } as const;

test('session id - tells any ingress with the same secret all there is to know', () => {
  const id = createSessionIds(createSealer('shared')).mint(alice, { kind: 'server', name: 'demo' }, facts);
  const session = createSessionIds(createSealer('shared')).open(id, alice);
  assert.deepEqual(session, {
    ...facts,
    key: session?.key,
    principal: alice,
    endpoint: { kind: 'server', name: 'demo' },
  });
  assert.match(session?.key ?? '', /^[\w-]{22}$/);
});

test('session id - is visible ASCII, and two are never equal', () => {
  const ids = createSessionIds(createSealer('shared'));
  const [one, two] = [ids.mint(alice, all, facts), ids.mint(alice, all, facts)];
  assert.match(one, /^[\x21-\x7e]+$/);
  assert.notEqual(one, two);
});

test('session id - belongs to one principal, also when it is known already', () => {
  const ids = createSessionIds(createSealer('shared'));
  const id = ids.mint(alice, all, facts);
  assert.ok(ids.open(id, alice));
  assert.equal(ids.open(id, { id: 'bob', method: 'key' }), undefined);
  assert.equal(ids.open(id, { id: 'alice', method: 'oauth' }), undefined);
});

test('session id - opens neither with a changed character nor after seven days', () => {
  let now = 1_700_000_000_000;
  const ids = createSessionIds(createSealer('shared'), () => now);
  const id = ids.mint(alice, all, facts);
  assert.equal(ids.open(`${id.slice(0, -2)}AA`, alice), undefined);
  assert.ok(ids.open(id, alice));
  now += sessionTtlMs;
  assert.equal(ids.open(id, alice), undefined);
});

test('session id - of HTTP+SSE is none of Streamable HTTP, and the reverse', () => {
  const ids = createSessionIds(createSealer('shared'));
  const sse = ids.mintSse(alice, all);
  assert.deepEqual(ids.openSse(sse, alice)?.endpoint, all);
  assert.equal(ids.open(sse, alice), undefined);
  assert.equal(ids.openSse(ids.mint(alice, all, facts), alice), undefined);
});

test('session id - stays below 4 KiB whatever an agent declares, and keeps what matters', () => {
  const ids = createSessionIds(createSealer('shared'));
  const experimental = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`x${n}`, { deep: 'é'.repeat(20) }]));
  const id = ids.mint(alice, all, {
    protocolVersion: '2025-11-25',
    capabilities: { experimental, elicitation: { url: {}, junk: 'x' }, roots: { listChanged: true } },
    clientInfo: { name: '名'.repeat(5000), version: '1', icons: ['x'.repeat(9000)] },
  });
  assert.ok(id.length < 4096, `${id.length} characters`);
  const session = ids.open(id, alice);
  assert.deepEqual(session?.capabilities, { elicitation: { url: {} }, roots: { listChanged: true } });
  assert.deepEqual(Object.keys(session?.clientInfo ?? {}), ['name', 'version']);
});
