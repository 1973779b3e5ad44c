import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSealer } from './seal.ts';

const sealer = createSealer('a secret of the cluster');

test('seal - opens what another process with the same secret sealed', () => {
  const text = createSealer('a secret of the cluster').seal('cursor', { at: 3 }, 'alice');
  assert.deepEqual(sealer.open('cursor', text, 'alice'), { at: 3 });
});

test('seal - refuses another purpose, bound value or secret', () => {
  const text = sealer.seal('cursor', { at: 3 }, 'alice');
  assert.equal(sealer.open('session', text, 'alice'), undefined);
  assert.equal(sealer.open('cursor', text, 'bob'), undefined);
  assert.equal(createSealer('other').open('cursor', text, 'alice'), undefined);
});

test('seal - refuses a text with any character changed, cut or added', () => {
  const text = sealer.seal('cursor', { at: 3 });
  for (let at = 0; at < text.length; at += 1) {
    const other = text[at] === 'A' ? 'B' : 'A';
    assert.equal(sealer.open('cursor', text.slice(0, at) + other + text.slice(at + 1)), undefined, `at ${at}`);
  }
  assert.equal(sealer.open('cursor', text.slice(0, -1)), undefined);
  assert.equal(sealer.open('cursor', `${text}A`), undefined);
  assert.equal(sealer.open('cursor', ''), undefined);
});

test('seal - a secret is replaced while what it sealed stays good', () => {
  let secrets = ['old'];
  const sealer = createSealer(() => secrets);
  const before = sealer.seal('state', { n: 1 });
  // Everybody learns the next secret first, then seals with it, then forgets the last one.
  secrets = ['old', 'new'];
  const elsewhere = createSealer(() => ['new', 'old']);
  const after = elsewhere.seal('state', { n: 2 });
  assert.deepEqual(sealer.open('state', after), { n: 2 });
  assert.deepEqual(elsewhere.open('state', before), { n: 1 });
  secrets = ['new'];
  assert.equal(sealer.open('state', before), undefined);
  assert.deepEqual(sealer.open('state', after), { n: 2 });
});
