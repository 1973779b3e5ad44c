import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { agentWithKey } from '../helpers/keys.ts';
import { type OAuthIssuer, startIssuer } from '../helpers/oauth-issuer.ts';
import { verifies } from '../requirements.ts';
import { bearer, dialects, refusal, talk } from './dialects.ts';
import { type Gateway, type RecordingUpstream, startGateway, startRecordingUpstream } from './gateway.ts';

const reader = { id: 'reader', secret: 'reader-secret-1' };
const stranger = { id: 'stranger', secret: 'stranger-secret-1' };
const machine = agentWithKey();
let issuer: OAuthIssuer;
let upstream: RecordingUpstream;
let gateway: Gateway;
let config: object;

before(async () => {
  issuer = await startIssuer({ clients: [reader, stranger] });
  upstream = await startRecordingUpstream();
  config = {
    servers: { notes: { url: upstream.url }, other: { url: upstream.url } },
    auth: {
      mode: 'oauth',
      issuers: [issuer.url],
      agentClaim: 'client_id',
      scopes: { 'tools:read': { allow: ['*__read_*'] }, 'tools:write': { allow: ['*__read_*', '*__delete_*'] } },
      initialScopes: ['tools:read'],
    },
    agents: {
      reader: { subjects: ['reader'], allow: ['*'], deny: ['*__secret_*'] },
      machine: machine.agent,
    },
    // This file alone turns up with more bad tokens than an address may within a moment.
    limits: { unauthenticated: { rate: '1000/s', burst: 10_000 } },
  };
  gateway = await startGateway(config);
});

after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await issuer?.[Symbol.asyncDispose]();
});

const resource = (path: string) => `${gateway.origin}${path}`;
const namesOf = (result: Readonly<Record<string, unknown>> | undefined) =>
  (result?.['tools'] as ReadonlyArray<{ name: string }> | undefined)?.map(({ name }) => name) ?? [];

for (const dialect of dialects) {
  test(`oauth ${dialect.name} - a token for this endpoint is let in, and reaches nobody else`, async () => {
    verifies('oauth:tokens', 'oauth:no-passthrough');
    const token = await issuer.token(reader, resource(dialect.path()), 'tools:read');
    const agent = await talk(dialect, gateway.origin, bearer(token));
    const { status, message } = await agent.ask('tools/call', { name: 'notes__read_note', arguments: {} });
    agent.close();
    assert.equal(status, 200);
    assert.match(JSON.stringify(message?.result), /did read_note/);
    assert.ok(
      gateway.traffic.some((line) => line.includes('notes__') || line.includes('read_note')),
      'NATS is listened to',
    );
    const seen = JSON.stringify([upstream.headers, gateway.logs, gateway.traffic]);
    for (const part of token.split('.')) assert.ok(!seen.includes(part), 'no part of the token is anywhere');
  });

  test(`oauth ${dialect.name} - without a token the challenge names the metadata of the endpoint and the scope`, async () => {
    verifies('oauth:challenge', 'oauth:metadata');
    for (const name of [undefined, 'notes']) {
      for (const headers of [{}, { authorization: 'Bearer' }, { authorization: 'Bearer ' }]) {
        const { status, headers: head } = await refusal(dialect, gateway.origin, headers, name);
        assert.equal(status, 401);
        const url = `${gateway.origin}/.well-known/oauth-protected-resource${dialect.path(name)}`;
        assert.equal(head.get('www-authenticate'), `Bearer resource_metadata="${url}", scope="tools:read"`);
        const document = await (await fetch(url)).json();
        assert.deepEqual(document, {
          resource: resource(dialect.path(name)),
          authorization_servers: [issuer.url],
          bearer_methods_supported: ['header'],
          scopes_supported: ['tools:read', 'tools:write'],
          resource_name: 'toolbus',
        });
      }
    }
  });

  test(`oauth ${dialect.name} - bad tokens are 401 with resource_metadata (I4)`, async () => {
    verifies('oauth:tokens', 'oauth:challenge');
    for (const [name, token] of await badTokens(resource(dialect.path()))) {
      const { status, headers } = await refusal(dialect, gateway.origin, bearer(token));
      assert.equal(status, 401, name);
      assert.match(headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token", resource_metadata="/, name);
    }
  });

  test(`oauth ${dialect.name} - a token for one server leads nowhere else`, async () => {
    verifies('oauth:tokens');
    const narrow = await issuer.token(reader, resource(dialect.path('notes')), 'tools:read');
    assert.equal((await refusal(dialect, gateway.origin, bearer(narrow))).status, 401);
    assert.equal((await refusal(dialect, gateway.origin, bearer(narrow), 'other')).status, 401);
    const agent = await talk(dialect, gateway.origin, bearer(narrow), 'notes');
    assert.deepEqual(namesOf((await agent.ask('tools/list')).message?.result).sort(), ['delete_note', 'read_note']);
    const wide = await issuer.token(reader, resource(dialect.path()), 'tools:read');
    const whole = await talk(dialect, gateway.origin, bearer(wide));
    const { status } = await whole.ask('tools/list', {}, bearer(narrow));
    assert.ok(status === 401 || status === 404, `${status}`);
    agent.close();
    whole.close();
  });

  test(`oauth ${dialect.name} - a missing scope is 403 with only that scope, and more scope in the same session helps (I7)`, async () => {
    verifies('oauth:step-up', 'oauth:session-binding');
    const path = resource(dialect.path());
    const narrow = bearer(await issuer.token(reader, path, 'tools:read'));
    const broad = bearer(await issuer.token(reader, path, 'tools:read tools:write'));
    const agent = await talk(dialect, gateway.origin, narrow);
    const listed = namesOf((await agent.ask('tools/list')).message?.result);
    assert.ok(listed.includes('notes__delete_note') && !listed.includes('notes__secret_note'));
    const call = { name: 'notes__delete_note', arguments: {} };
    const refused = await agent.ask('tools/call', call);
    assert.equal(refused.status, 403);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    assert.match(challenge, /^Bearer error="insufficient_scope", resource_metadata="[^"]+", scope="tools:write"$/);
    const allowed = await agent.ask('tools/call', call, broad);
    assert.match(JSON.stringify(allowed.message?.result), /did delete_note/);
    assert.equal((await agent.ask('tools/call', call, narrow)).status, 403, 'and less scope is less again');
    agent.close();
  });

  test(`oauth ${dialect.name} - what the agent itself may not is unknown, whatever the scope (I8)`, async () => {
    verifies('oauth:step-up');
    const token = await issuer.token(reader, resource(dialect.path()), 'tools:read');
    const agent = await talk(dialect, gateway.origin, bearer(token));
    const [denied, missing] = [
      await agent.ask('tools/call', { name: 'notes__secret_note', arguments: {} }),
      await agent.ask('tools/call', { name: 'notes__missing_note', arguments: {} }),
    ];
    assert.equal(denied.status, 200);
    assert.equal(denied.message?.error?.code, -32602);
    const plain = (message: unknown) =>
      JSON.stringify(message)
        .replace(/secret|missing/g, 'X')
        .replace(/"id":\d+/, '');
    assert.equal(plain(denied.message), plain(missing.message));
    agent.close();
  });

  test(`oauth ${dialect.name} - a subject of no agent is 403, and has nothing`, async () => {
    verifies('oauth:tokens');
    const token = await issuer.token(stranger, resource(dialect.path()), 'tools:read');
    const refused = await refusal(dialect, gateway.origin, bearer(token));
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get('www-authenticate'), null);
  });

  test(`oauth ${dialect.name} - a session belongs to its subject, not to the token`, async () => {
    verifies('oauth:session-binding');
    const path = resource(dialect.path());
    const claims = { aud: path, scope: 'tools:read', client_id: 'reader' };
    const first = await issuer.sign({ ...claims, sub: 'ann' });
    const again = await issuer.sign({ ...claims, sub: 'ann', jti: 'refreshed' });
    const other = await issuer.sign({ ...claims, sub: 'bob' });
    const agent = await talk(dialect, gateway.origin, bearer(first));
    assert.equal((await agent.ask('tools/list', {}, bearer(again))).status, 200);
    if (agent.session !== undefined) assert.equal((await agent.ask('tools/list', {}, bearer(other))).status, 404);
    agent.close();
  });

  test(`oauth ${dialect.name} - an API key is good beside tokens`, async () => {
    verifies('oauth:keys-too');
    const agent = await talk(dialect, gateway.origin, bearer(machine.key));
    const { message } = await agent.ask('tools/call', { name: 'notes__secret_note', arguments: {} });
    assert.match(JSON.stringify(message?.result), /did secret_note/);
    agent.close();
  });
}

test('oauth - metadata is told for paths that could be, and for no other', async () => {
  verifies('oauth:metadata');
  const statusOf = async (path: string) =>
    (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource${path}`)).status;
  for (const path of ['', '/mcp', '/sse', '/mcp/notes', '/sse/notes', '/mcp/nobody'])
    assert.equal(await statusOf(path), 200, path);
  for (const path of ['/', '/messages', '/mcp/', '/mcp/a/b', '/mcp/%22', '/admin', `/mcp/${'x'.repeat(41)}`])
    assert.equal(await statusOf(path), 404, path);
});

test('oauth - a storm of unknown keys fetches once, and tokens of known keys go on (I4)', async () => {
  verifies('oauth:jwks');
  const path = resource('/mcp');
  const known = await issuer.token(reader, path, 'tools:read');
  const [modern] = dialects;
  assert.ok(modern);
  (await talk(modern, gateway.origin, bearer(known))).close();
  const before = issuer.requests.filter((line) => line.includes('/jwks')).length;
  const claims = { aud: path, sub: 'reader', client_id: 'reader' };
  const storm = await Promise.all(
    Array.from({ length: 100 }, (_, index) => issuer.sign(claims, { kid: `random-${index}` })),
  );
  const outcomes = await Promise.all(storm.map((token) => refusal(modern, gateway.origin, bearer(token))));
  assert.ok(outcomes.every(({ status }) => status === 401));
  const fetched = issuer.requests.filter((line) => line.includes('/jwks')).length - before;
  assert.ok(fetched <= 1, `${fetched} fetches`);
});

test('oauth - in key mode no OAuth document is there, and the challenge is plain', async () => {
  verifies('oauth:metadata');
  const { key, agent } = agentWithKey();
  await using keys = await startGateway({ servers: {}, agents: { a: agent } });
  for (const path of ['', '/mcp', '/sse', '/mcp/x'])
    assert.equal((await fetch(`${keys.origin}/.well-known/oauth-protected-resource${path}`)).status, 404);
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/register'])
    assert.equal((await fetch(`${keys.origin}${path}`)).status, 404);
  for (const dialect of dialects) {
    const { status, headers } = await refusal(dialect, keys.origin, bearer(`${key}x`));
    assert.deepEqual([status, headers.get('www-authenticate')], [401, 'Bearer']);
  }
});

/** Tokens that look right but for one thing. */
async function badTokens(audience: string): Promise<[string, string][]> {
  const claims = { aud: audience, sub: 'reader', client_id: 'reader', scope: 'tools:read' };
  const now = Math.floor(Date.now() / 1000);
  const other = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(other.publicKey)), kid: 'evil', alg: 'RS256', use: 'sig' };
  await using evil = await serveKeys(jwk);
  const foreign = (header: Record<string, unknown>) =>
    new SignJWT({ ...claims, iss: issuer.url })
      .setProtectedHeader({ alg: 'RS256', kid: issuer.kid, ...header })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(other.privateKey);
  const body = base64url.encode(JSON.stringify({ ...claims, iss: issuer.url, iat: now, exp: now + 300 }));
  const none = `${base64url.encode(JSON.stringify({ alg: 'none', typ: 'at+jwt' }))}.${body}.`;
  const hmac = await new SignJWT({ ...claims, iss: issuer.url })
    .setProtectedHeader({ alg: 'HS256', kid: issuer.kid })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(issuer.publicKeyPem));
  const good = await issuer.sign(claims);
  const bad: [string, string][] = [
    ['another audience', await issuer.sign({ ...claims, aud: 'https://elsewhere.test/mcp' })],
    ['an audience that only begins alike', await issuer.sign({ ...claims, aud: `${audience}x` })],
    ['no audience', await issuer.sign({ sub: 'reader', client_id: 'reader' })],
    ['another issuer', await issuer.sign({ ...claims, iss: 'https://elsewhere.test' })],
    ['an issuer with a slash more', await issuer.sign({ ...claims, iss: `${issuer.url}/` })],
    ['expired', await issuer.sign({ ...claims, iat: now - 3600, exp: now - 120 })],
    ['not valid yet', await issuer.sign({ ...claims, nbf: now + 300 })],
    ['from the future', await issuer.sign({ ...claims, iat: now + 300, exp: now + 600 })],
    ['alg none', none],
    ['HMAC with the public key', hmac],
    ['signed by somebody else', await foreign({})],
    ['a key in the header', await foreign({ jwk })],
    ['an address of keys in the header', await foreign({ kid: 'evil', jku: evil.url })],
    ['a certificate address in the header', await foreign({ kid: 'evil', x5u: evil.url })],
    ['a cut signature', good.slice(0, -8)],
    ['no token at all', createHash('sha256').update(good).digest('hex')],
    ['two dots', '..'],
  ];
  // Whoever follows such an address would do so now.
  for (const [, token] of bad.slice(12, 14)) await fetch(`${gateway.origin}/mcp`, { headers: bearer(token) });
  assert.equal(evil.hits(), 0, 'nobody asked for keys at the address in the header');
  return bad;
}

async function serveKeys(jwk: object): Promise<{ url: string; hits(): number } & AsyncDisposable> {
  let hits = 0;
  const http = createServer((_req, res) => {
    hits += 1;
    res.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/jwks`,
    hits: () => hits,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
