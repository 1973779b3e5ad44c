import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt, exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import { agentWithKey } from '../helpers/keys.ts';
import { type OAuthIssuer, startIssuer } from '../helpers/oauth-issuer.ts';
import { callTool, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { type Gateway, startGateway, startRecordingUpstream } from '../security/gateway.ts';

const client = { id: 'toolbus', secret: 'client-secret-of-toolbus' };
const { key, agent } = agentWithKey();

const gatewayTo = (url: string, auth: object, more: object = {}): Promise<Gateway> =>
  startGateway({ servers: { notes: { url, auth, ...more } }, agents: { a: agent } });

const read = (gateway: Gateway): Promise<RpcAnswer> => callTool(gateway.ingress.mcp, 'notes__read_note', {}, { key });

/** Its text, or what came instead. */
const said = (answer: RpcAnswer): string => textOf(answer) || JSON.stringify(answer.response ?? answer.text);

const tokenOf = (req: IncomingMessage) => /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1];

/** Lets in what the issuer made for this URL and what has not ended. */
function doorOf(issuer: () => OAuthIssuer, self: () => string, revoked: ReadonlySet<string> = new Set()) {
  return (req: IncomingMessage) => {
    const token = tokenOf(req);
    if (token !== undefined && token !== key && !revoked.has(token)) {
      const { iss, aud, exp = 0 } = decodeJwt(token);
      if (iss === issuer().url && aud === self() && exp * 1000 > Date.now()) return undefined;
    }
    return { status: 401, challenge: 'Bearer error="invalid_token"' };
  };
}

test('upstream auth - client credentials with a secret, at the configured issuer', async () => {
  verifies('upstream-auth:client-credentials', 'oauth:no-passthrough');
  await using issuer = await startIssuer({ clients: [client] });
  let self = '';
  await using upstream = await startRecordingUpstream(
    doorOf(
      () => issuer,
      () => self,
    ),
  );
  self = upstream.url;
  const auth = { type: 'client-credentials', clientId: client.id, clientSecret: client.secret, issuer: issuer.url };
  await using gateway = await gatewayTo(upstream.url, { ...auth, scope: 'tools:read' });
  assert.equal(said(await read(gateway)), 'did read_note');
  const sent = upstream.headers.map(({ authorization }) => authorization);
  assert.ok(
    sent.every((header) => header?.startsWith('Bearer ey')),
    'every request carries the token of toolbus',
  );
  assert.equal(decodeJwt(sent.at(-1)?.slice(7) ?? '')['scope'], 'tools:read');
  const everywhere = JSON.stringify([upstream.headers, gateway.logs, gateway.traffic]);
  assert.ok(!everywhere.includes(key), "the agent's key goes nowhere");
  const shared = JSON.stringify([gateway.logs, gateway.traffic]);
  assert.ok(!shared.includes(client.secret) && !shared.includes('eyJ'), 'secrets stay at the worker');
});

for (const algorithm of ['ES256', 'EdDSA'] as const) {
  test(`upstream auth - client credentials with a private key (${algorithm})`, async () => {
    verifies('upstream-auth:client-credentials');
    const pair = await generateKeyPair(algorithm, { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), alg: algorithm, kid: 'k', use: 'sig' };
    await using issuer = await startIssuer({ clients: [], keyClients: [{ id: 'toolbus', jwk }] });
    let self = '';
    await using upstream = await startRecordingUpstream(
      doorOf(
        () => issuer,
        () => self,
      ),
    );
    self = upstream.url;
    const privateKey = await exportPKCS8(pair.privateKey);
    const auth = { type: 'client-credentials', clientId: 'toolbus', privateKey, algorithm, issuer: issuer.url };
    await using gateway = await gatewayTo(upstream.url, auth);
    assert.equal(said(await read(gateway)), 'did read_note');
  });
}

test('upstream auth - tokens of 6 s are renewed ahead: no call fails and none is refused', async () => {
  verifies('upstream-auth:renewal');
  await using issuer = await startIssuer({ clients: [client], lifetimeS: () => 6 });
  let self = '';
  let refusals = 0;
  const door = doorOf(
    () => issuer,
    () => self,
  );
  await using upstream = await startRecordingUpstream((req) => {
    const refused = door(req);
    if (refused !== undefined) refusals += 1;
    return refused;
  });
  self = upstream.url;
  const auth = { type: 'client-credentials', clientId: client.id, clientSecret: client.secret, issuer: issuer.url };
  await using gateway = await gatewayTo(upstream.url, auth);
  const over = Date.now() + 14_000;
  while (Date.now() < over) {
    assert.equal(said(await read(gateway)), 'did read_note');
    await delay(150);
  }
  assert.equal(refusals, 0);
  assert.ok(issuer.requests.filter((line) => line === 'POST /token').length >= 3, 'several tokens were used');
});

test('upstream auth - a refused token is replaced once; a server that refuses all gets no storm', async () => {
  verifies('upstream-auth:renewal');
  await using issuer = await startIssuer({ clients: [client] });
  const revoked = new Set<string>();
  let self = '';
  let closed = false;
  const door = doorOf(
    () => issuer,
    () => self,
    revoked,
  );
  await using upstream = await startRecordingUpstream((req) => (closed ? { status: 401 } : door(req)));
  self = upstream.url;
  const auth = { type: 'client-credentials', clientId: client.id, clientSecret: client.secret, issuer: issuer.url };
  await using gateway = await gatewayTo(upstream.url, auth, { breaker: { minCalls: 1000 } });
  assert.equal(said(await read(gateway)), 'did read_note');
  revoked.add(upstream.headers.at(-1)?.authorization?.slice(7) ?? '');
  const answers = await Promise.all(Array.from({ length: 8 }, () => read(gateway)));
  assert.ok(
    answers.every((answer) => said(answer) === 'did read_note'),
    'no call failed for the revoked token',
  );
  closed = true;
  await delay(5_500);
  const before = issuer.requests.filter((line) => line === 'POST /token').length;
  for (let count = 0; count < 10; count += 1) {
    const { response } = await read(gateway);
    assert.ok(response?.error !== undefined, 'a clean error');
    assert.equal(response.error.data?.['executed'], 'no');
  }
  const asked = issuer.requests.filter((line) => line === 'POST /token').length - before;
  assert.ok(asked <= 2, `${asked} tokens asked for`);
});

test('upstream auth - without issuer the server is asked where tokens are, and may not change its mind', async () => {
  verifies('upstream-auth:client-credentials', 'upstream-auth:egress');
  // Its own authorization server at its own origin: all that a server on this machine may name.
  await using issuer = await startIssuer({ clients: [client] });
  await using canary = await startCanary();
  let named = '';
  await using discovered = await startUpstreamWithIssuer(issuer, () => named);
  const auth = { type: 'client-credentials', clientId: client.id, clientSecret: client.secret };
  await using gateway = await gatewayTo(discovered.url, auth, { breaker: { minCalls: 1000 } });
  assert.equal(said(await read(gateway)), 'did read_note');
  named = `http://127.0.0.1:${canary.port}`;
  discovered.refuse();
  const { response } = await read(gateway);
  assert.ok(response?.error !== undefined);
  assert.equal(canary.connections(), 0);
});

test('upstream auth - addresses that a server names never lead into our networks (U3)', async () => {
  verifies('upstream-auth:egress');
  await using canary = await startCanary();
  const { port } = canary;
  const places = [
    `http://127.0.0.1:${port}/x`,
    `https://127.0.0.1:${port}/x`,
    `https://localhost:${port}/x`,
    `https://[::1]:${port}/x`,
    `https://[::ffff:127.0.0.1]:${port}/x`,
    `https://2130706433:${port}/x`,
    `https://0177.0.0.1:${port}/x`,
    `https://127.1:${port}/x`,
    'http://169.254.169.254/latest/meta-data',
    'https://[::ffff:a9fe:a9fe]/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://a/$(id)',
    '--upload-pack=x',
  ];
  await using upstream = await startRecordingUpstream((req) => ({
    status: 401,
    challenge: `Bearer resource_metadata="${places[Number(/place=(\d+)/.exec(req.url ?? '')?.[1])]}"`,
  }));
  const auth = { type: 'client-credentials', clientId: client.id, clientSecret: client.secret };
  const servers = Object.fromEntries(
    places.map((_, index) => [`s${index}`, { url: `${upstream.url}?place=${index}`, auth }]),
  );
  await using gateway = await startGateway({ servers, agents: { a: agent } });
  const givenUp = (index: number) =>
    gateway.logs.some((line) => line.includes('no access token') && line.includes(`"s${index}"`));
  await until('every worker has given up once', () => places.every((_, index) => givenUp(index)));
  assert.ok(!gateway.logs.join('').includes(client.secret));
  assert.equal(canary.connections(), 0);
});

test('upstream auth - enterprise-managed: ID token, ID-JAG, access token', async () => {
  verifies('upstream-auth:enterprise-managed');
  const idp = await startForms((form) => {
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:token-exchange');
    assert.equal(form.get('requested_token_type'), 'urn:ietf:params:oauth:token-type:id-jag');
    assert.equal(form.get('subject_token'), 'the-id-token');
    return {
      issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      access_token: `jag for ${form.get('audience')} and ${form.get('resource')}`,
      token_type: 'N_A',
      expires_in: 300,
    };
  });
  let granted = '';
  const server = await startForms((form) => {
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    granted = form.get('assertion') ?? '';
    return { access_token: 'token-by-id-jag', token_type: 'Bearer', expires_in: 300 };
  });
  await using upstream = await startRecordingUpstream((req) =>
    tokenOf(req) === 'token-by-id-jag' ? undefined : { status: 401 },
  );
  try {
    await using gateway = await gatewayTo(upstream.url, {
      type: 'enterprise-managed',
      clientId: 'toolbus',
      clientSecret: 'at-the-server',
      issuer: 'https://as.example.com',
      tokenUrl: server.url,
      idp: { tokenUrl: idp.url, clientId: 'toolbus', clientSecret: 'at-the-idp', idToken: 'the-id-token' },
    });
    assert.equal(said(await read(gateway)), 'did read_note');
    assert.equal(granted, `jag for https://as.example.com and ${upstream.url}`);
    const logs = gateway.logs.join('');
    for (const secret of ['the-id-token', 'at-the-idp', 'at-the-server', 'token-by-id-jag', 'jag for'])
      assert.ok(!logs.includes(secret), secret);
  } finally {
    await idp.close();
    await server.close();
  }
});

interface Closing {
  readonly url: string;
  close(): Promise<void>;
}

/** A token endpoint that answers forms as the test says. */
async function startForms(answer: (form: URLSearchParams) => object): Promise<Closing> {
  const http = createServer(async (req, res) => {
    const body = answer(new URLSearchParams(await text(req)));
    res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/token`,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

async function startCanary(): Promise<{ readonly port: number; connections(): number } & AsyncDisposable> {
  let connections = 0;
  const http = createServer((_req, res) => res.end()).on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => http.listen(0, resolve));
  return {
    port: (http.address() as AddressInfo).port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** A server whose authorization server is at its own origin (a proxy to the real issuer), unless it names another one. */
async function startUpstreamWithIssuer(issuer: OAuthIssuer, named: () => string) {
  let refusing = false;
  const seen = new Set<string>();
  const upstream = await startRecordingUpstream((req) => {
    const token = tokenOf(req);
    return token === undefined || (refusing && seen.has(token)) ? { status: 401 } : void seen.add(token);
  });
  const inner = new URL(upstream.url);
  const http = createServer(async (req, res) => {
    const { port } = http.address() as AddressInfo;
    const origin = `http://127.0.0.1:${port}`;
    const json = (value: object) => res.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (req.url?.startsWith('/.well-known/oauth-protected-resource')) {
      return json({ resource: `${origin}/mcp`, authorization_servers: [named() || origin] });
    }
    if (req.url?.startsWith('/.well-known/')) {
      const token_endpoint = `${origin}/token`;
      const authorization_endpoint = `${origin}/auth`;
      return json({ issuer: origin, token_endpoint, authorization_endpoint, response_types_supported: ['code'] });
    }
    const target = req.url === '/token' ? `${issuer.url}/token` : `${inner.origin}${req.url}`;
    const headers = Object.fromEntries(
      Object.entries(req.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name)),
    ) as Record<string, string>;
    const body = req.method === 'POST' ? await text(req) : null;
    const answer = await fetch(target, { method: req.method ?? 'GET', headers, body });
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    res.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    refuse() {
      refusing = true;
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await upstream[Symbol.asyncDispose]();
    },
  };
}
