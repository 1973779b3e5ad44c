import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSealer } from '../../../shared/seal.ts';
import { createEventIds } from './event-ids.ts';

const ids = createEventIds(createSealer('shared'));
const stream = { id: 'abc', owner: 'INGRESSAAA', requests: [1, 'two'] };
const place = { updates: { epoch: 'then', seq: 42 }, lists: { tools: 't', prompts: 'p', resources: 'r' } };

test('event id - names its stream and place to any ingress with the same secret, in its session alone', () => {
  const prefix = ids.ofStream('session', stream) ?? assert.fail('no id');
  const id = ids.nth(prefix, 17);
  const elsewhere = createEventIds(createSealer('shared'));
  assert.deepEqual(elsewhere.read('session', id), { kind: 'answering', stream, prefix, n: 17 });
  assert.equal(elsewhere.read('other', id), undefined);
  assert.equal(createEventIds(createSealer('another')).read('session', id), undefined);
});

test('event id - of a standalone stream says what its reader knows of', () => {
  const id = ids.ofPlace('session', place);
  assert.deepEqual(ids.read('session', id), { kind: 'standalone', place });
  assert.equal(ids.read('other', id), undefined);
});

test('event id - that was changed, or is none, is not read', () => {
  const id = ids.nth(ids.ofStream('session', stream) ?? '', 3);
  const [sealed = ''] = id.split('.');
  for (const changed of [
    `${sealed.slice(0, -1)}.3`,
    sealed,
    `${sealed}.-1`,
    `${sealed}.x`,
    `x${id}`,
    '',
    'x'.repeat(9_000),
  ])
    assert.equal(ids.read('session', changed), undefined, changed.slice(0, 40));
});

test('event id - is not given where the requests would make it too long for a header', () => {
  assert.equal(ids.ofStream('session', { ...stream, requests: ['x'.repeat(2_000)] }), undefined);
});
