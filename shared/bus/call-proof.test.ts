import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { callKeyOf, type Handshake, isProven, proveCall } from './call-proof.ts';

const word = fc.stringMatching(/^[A-Za-z0-9]{1,12}$/);
const handshakes = fc.record({ ingress: word, key: word, instance: word, challenge: word });
const bytes = fc.uint8Array({ maxLength: 64 });

test('call proof - holds for the handshake, offer and server that it was made for, and for nothing else', () => {
  fc.assert(
    fc.property(handshakes, handshakes, bytes, bytes, word, word, (mine, other, offer, another, server, elsewhere) => {
      const key = callKeyOf('secret', server);
      const proof = proveCall(key, mine, offer, []);
      assert.ok(isProven([key], proof, mine, offer, []));
      const same = (one: Handshake, two: Handshake) =>
        JSON.stringify(Object.entries(one)) === JSON.stringify(Object.entries(two));
      assert.equal(isProven([key], proof, other, offer, []), same(mine, other));
      assert.equal(isProven([key], proof, mine, another, []), Buffer.compare(offer, another) === 0);
      assert.equal(isProven([callKeyOf('secret', elsewhere)], proof, mine, offer, []), server === elsewhere);
      assert.equal(isProven([callKeyOf('other secret', server)], proof, mine, offer, []), false);
    }),
  );
});

test('call proof - covers arguments that came in parts', () => {
  const key = callKeyOf('secret', 'github');
  const handshake = { ingress: 'i', key: 'k', instance: 'w', challenge: '1' };
  const offer = Buffer.from('offer');
  const proof = proveCall(key, handshake, offer, [Buffer.from('one'), Buffer.from('two')]);
  assert.ok(isProven([key], proof, handshake, offer, [Buffer.from('one'), Buffer.from('two')]));
  assert.ok(!isProven([key], proof, handshake, offer, [Buffer.from('one'), Buffer.from('owt')]));
  assert.ok(!isProven([key], proof, handshake, offer, []));
});

test('call proof - takes an old key while keys are rotated, and never something that is no proof', () => {
  const [old, now] = [callKeyOf('old', 's'), callKeyOf('new', 's')];
  const handshake = { ingress: 'i', key: 'k', instance: 'w', challenge: '1' };
  const offer = Buffer.from('offer');
  assert.ok(isProven([now, old], proveCall(old, handshake, offer, []), handshake, offer, []));
  for (const junk of [
    undefined,
    null,
    '',
    'x',
    7,
    {},
    'A'.repeat(10_000),
    proveCall(old, handshake, offer, []).slice(1),
  ])
    assert.ok(!isProven([now, old], junk, handshake, offer, []));
});
