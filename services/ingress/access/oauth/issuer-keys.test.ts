import assert from 'node:assert/strict';
import test from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { pino } from 'pino';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { createIssuerKeys } from './issuer-keys.ts';

const log = pino({ level: 'silent' });
const issuer = 'https://issuer.test/tenant';
const { publicKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = (await exportJWK(publicKey)) as JsonObject;

/** An issuer whose clock and documents the test holds. */
function keysWith(documents: Record<string, JsonObject | Error>, jwksUri?: string) {
  const asked: string[] = [];
  const clock = { now: 1_000_000 };
  const keys = createIssuerKeys({
    issuer: { issuer, jwksUri, audiences: [] },
    log,
    now: () => clock.now,
    async fetch(url) {
      asked.push(url);
      const document = documents[url] ?? new Error('HTTP 404');
      if (document instanceof Error) throw document;
      return document;
    },
  });
  return { keys, asked, clock };
}

const jwks = 'https://issuer.test/jwks';
const set: JsonObject = { keys: [jwk] };

test('issuer keys - found through its metadata, in the order of the specification', async () => {
  const last = 'https://issuer.test/tenant/.well-known/openid-configuration';
  const { keys, asked } = keysWith({ [last]: { issuer, jwks_uri: jwks }, [jwks]: set });
  assert.ok(await keys.current());
  assert.deepEqual(asked, [
    'https://issuer.test/.well-known/oauth-authorization-server/tenant',
    'https://issuer.test/.well-known/openid-configuration/tenant',
    last,
    jwks,
  ]);
});

test('issuer keys - metadata that names another issuer or an unsafe address is not believed', async () => {
  const place = 'https://issuer.test/.well-known/oauth-authorization-server/tenant';
  for (const metadata of [
    { issuer: 'https://issuer.test/other', jwks_uri: jwks },
    { issuer, jwks_uri: 'http://issuer.test/jwks' },
    { issuer, jwks_uri: 'file:///etc/passwd' },
    { issuer },
  ]) {
    const { keys, asked } = keysWith({ [place]: metadata, [jwks]: set });
    assert.equal(await keys.current(), undefined);
    assert.ok(!asked.includes(jwks));
  }
});

test('issuer keys - unknown keys fetch once in 30 s, however many ask', async () => {
  const { keys, asked, clock } = keysWith({ [jwks]: set }, jwks);
  await keys.current();
  for (let count = 0; count < 1000; count += 1) await keys.renewed();
  assert.equal(asked.length, 1);
  clock.now += 30_001;
  await Promise.all(Array.from({ length: 100 }, () => keys.renewed()));
  assert.equal(asked.length, 2);
});

test('issuer keys - while the issuer is down known keys go on, and it is not asked in a storm', async () => {
  const documents: Record<string, JsonObject | Error> = { [jwks]: set };
  const { keys, asked, clock } = keysWith(documents, jwks);
  const known = await keys.current();
  documents[jwks] = new Error('ECONNREFUSED');
  clock.now += 60 * 60_000;
  for (let count = 0; count < 100; count += 1) assert.equal(await keys.current(), known);
  assert.equal(await keys.renewed(), known);
  assert.equal(asked.length, 2);
});

test('issuer keys - shared secrets and private keys in the set are no keys', async () => {
  const secret = { kty: 'oct', k: 'AAAA', kid: 'x' };
  const { keys } = keysWith({ [jwks]: { keys: [secret, { ...jwk, d: 'AAAA' }, 'nonsense', null] } }, jwks);
  const found = await keys.current();
  await assert.rejects(async () => found?.({ alg: 'HS256', kid: 'x' }, { payload: '', signature: '' }));
  await assert.rejects(async () => found?.({ alg: 'ES256' }, { payload: '', signature: '' }));
});
