import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { configSchema } from '../../../shared/config/schema.ts';
import { OperatorError } from '../../../shared/errors.ts';
import { checkIdentities, createAuthenticator } from './authenticate.ts';

const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
const config = configSchema.parse({
  agents: { ann: { keys: [hash('key-of-ann'), hash('second')] }, bob: { keys: [hash('key-of-bob')] }, keyless: {} },
});

/** The principal that a header proves at once; undefined for a 401 with a plain challenge. */
function principalOf(given: typeof config, authorization: string | undefined, developmentKey?: string) {
  const known = createAuthenticator(given, { developmentKey }).identify(authorization, '/mcp');
  assert.ok(!(known instanceof Promise), 'keys are checked at once');
  if (!('status' in known)) return known.principal;
  assert.deepEqual([known.status, known.challenge], [401, 'Bearer']);
  return undefined;
}

test('authenticate - a key names its agent', () => {
  assert.deepEqual(principalOf(config, 'Bearer key-of-ann'), { id: 'ann', method: 'key' });
  assert.deepEqual(principalOf(config, 'bearer  second'), { id: 'ann', method: 'key' });
  assert.deepEqual(principalOf(config, 'Bearer key-of-bob'), { id: 'bob', method: 'key' });
});

test('authenticate - nothing else names anyone (I12)', () => {
  const digest = hash('key-of-ann');
  const wrong = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'key-of-ann',
    'Basic a2V5',
    'Bearer key-of-ann2',
    'Bearer Key-of-ann',
    'Bearer a b',
    `Bearer ${digest}`,
    `Bearer ${digest.slice(7)}`,
    'Bearer __proto__',
  ];
  for (const header of wrong) assert.equal(principalOf(config, header), undefined, header);
  for (let length = 1; length <= 10_000; length += length < 200 ? 1 : 97)
    assert.equal(principalOf(config, `Bearer ${'x'.repeat(length)}`), undefined);
});

test('authenticate - a key with an end is unknown from then on', () => {
  const ends = (expires: string) =>
    configSchema.parse({ agents: { ann: { keys: [{ hash: hash('short'), expires }, hash('long')] } } });
  assert.equal(principalOf(ends('2999-01-01'), 'Bearer short')?.id, 'ann');
  assert.equal(principalOf(ends(new Date(Date.now() + 60_000).toISOString()), 'Bearer short')?.id, 'ann');
  assert.equal(principalOf(ends('2001-01-01'), 'Bearer short'), undefined);
  assert.equal(principalOf(ends('2001-01-01'), 'Bearer long')?.id, 'ann');
  for (const expires of ['tomorrow', '2999-02-30', '2999-01-01T00:00', '']) assert.throws(() => ends(expires), expires);
});

test('authenticate - what a key proved holds until the key is taken away', () => {
  const before = createAuthenticator(config).identify('Bearer second', '/mcp');
  assert.ok(!(before instanceof Promise) && !('status' in before));
  assert.equal(createAuthenticator(config).holds(before), true);
  const without = configSchema.parse({ agents: { ann: { keys: [hash('key-of-ann')] } } });
  assert.equal(createAuthenticator(without).holds(before), false);
  const another = configSchema.parse({ agents: { eve: { keys: [hash('second')] } } });
  assert.equal(createAuthenticator(another).holds(before), false);
});

test('authenticate - the development key is a principal of its own', () => {
  const none = configSchema.parse({});
  assert.deepEqual(principalOf(none, 'Bearer dev-key', 'dev-key'), { id: 'development', method: 'development' });
  assert.equal(principalOf(none, 'Bearer other', 'dev-key'), undefined);
  assert.equal(principalOf(none, 'Bearer dev-key'), undefined);
});

test('authenticate - mode none asks nobody', () => {
  const none = configSchema.parse({ auth: { mode: 'none' } });
  assert.deepEqual(principalOf(none, undefined), { id: 'anonymous', method: 'none' });
});

test('authenticate - refuses at start a key that two agents share', () => {
  const shared = { agents: { a: { keys: [hash('k')] }, b: { keys: [hash('k')] } } };
  assert.throws(() => checkIdentities(configSchema.parse(shared)), OperatorError);
  assert.throws(() => createAuthenticator(configSchema.parse(shared)), OperatorError);
});

test('authenticate - refuses at start subjects that could be somebody else', () => {
  const issuers = ['https://one.test', 'https://two.test'];
  const oauth =
    (agents: object, trusted = issuers) =>
    () =>
      checkIdentities(configSchema.parse({ auth: { mode: 'oauth', issuers: trusted }, agents }));
  assert.throws(oauth({ a: { subjects: ['ann'] } }), /needs its issuer/);
  assert.throws(oauth({ a: { subjects: [{ issuer: 'https://three.test', subject: 'ann' }] } }), /not in auth.issuers/);
  assert.throws(oauth({ a: { subjects: ['ann'] }, b: { subjects: ['ann'] } }, ['https://one.test']), /same subject/);
  oauth({ a: { subjects: [{ issuer: 'https://one.test', subject: 'ann' }] } })();
  oauth({ a: { subjects: ['ann'] } }, ['https://one.test'])();
});
