import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { configSchema } from '../../../shared/config/schema.ts';
import { OperatorError } from '../../../shared/errors.ts';
import { createAuthenticate } from './authenticate.ts';

const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
const config = configSchema.parse({
  agents: { ann: { keys: [hash('key-of-ann'), hash('second')] }, bob: { keys: [hash('key-of-bob')] }, keyless: {} },
});

test('authenticate - a key names its agent', () => {
  const authenticate = createAuthenticate(config);
  assert.deepEqual(authenticate('Bearer key-of-ann'), { id: 'ann', method: 'key' });
  assert.deepEqual(authenticate('bearer  second'), { id: 'ann', method: 'key' });
  assert.deepEqual(authenticate('Bearer key-of-bob'), { id: 'bob', method: 'key' });
});

test('authenticate - nothing else names anyone', () => {
  const authenticate = createAuthenticate(config);
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
  for (const header of wrong) assert.equal(authenticate(header), undefined, header);
  for (let length = 1; length <= 100; length += 1)
    assert.equal(authenticate(`Bearer ${'x'.repeat(length)}`), undefined);
});

test('authenticate - the development key is a principal of its own', () => {
  const authenticate = createAuthenticate(configSchema.parse({}), { developmentKey: 'dev-key' });
  assert.deepEqual(authenticate('Bearer dev-key'), { id: 'development', method: 'development' });
  assert.equal(authenticate('Bearer other'), undefined);
  assert.equal(createAuthenticate(configSchema.parse({}))('Bearer dev-key'), undefined);
});

test('authenticate - mode none asks nobody', () => {
  const authenticate = createAuthenticate(configSchema.parse({ auth: { mode: 'none' } }));
  assert.deepEqual(authenticate(undefined), { id: 'anonymous', method: 'none' });
});

test('authenticate - refuses at start a mode that does not exist yet and a key two agents share', () => {
  assert.throws(() => createAuthenticate(configSchema.parse({ auth: { mode: 'oauth' } })), OperatorError);
  const shared = { agents: { a: { keys: [hash('k')] }, b: { keys: [hash('k')] } } };
  assert.throws(() => createAuthenticate(configSchema.parse(shared)), OperatorError);
});
