import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { subjectsOf, token } from './subjects.ts';

test('subjects - a token is one safe subject token whatever the name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      assert.match(token(name), /^[A-Za-z0-9_=-]{1,120}$/);
    }),
  );
});

test('subjects - different names have different tokens', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
      assert.equal(token(one) === token(other), Buffer.from(one).equals(Buffer.from(other)));
    }),
  );
});

test('subjects - a readable name below the cap stays readable', () => {
  assert.equal(token('search_issues-2'), 'search_issues-2');
  assert.equal(token('admin.list'), 'admin=2Elist');
  assert.equal(token('a b>*\r\n'), 'a=20b=3E=2A=0D=0A');
  assert.equal(token(''), '=e');
  assert.match(token('x'.repeat(121)), /^=h[A-Za-z0-9_-]{43}$/);
});

test('pin - the subjects of the bus', () => {
  const subjects = subjectsOf('acme.eu');
  assert.equal(subjects.tool('github', 'search.code'), 'tb.v1.acme=2Eeu.call.github.tool.search=2Ecode');
  assert.equal(subjects.rpc('github', 'prompts/get'), 'tb.v1.acme=2Eeu.call.github.rpc.prompts=2Fget');
  assert.equal(subjects.instanceCall('github', 'W1'), 'tb.v1.acme=2Eeu.inst.github.W1.call');
  assert.equal(subjects.instanceControl('github', 'W1'), 'tb.v1.acme=2Eeu.inst.github.W1.ctl');
  assert.equal(subjects.reply('I1', '3f'), 'tb.v1.acme=2Eeu.reply.I1.3f');
  assert.equal(subjects.session('abc'), 'tb.v1.acme=2Eeu.sess.abc.out');
  assert.equal(subjects.event('github', 'resource_updated'), 'tb.v1.acme=2Eeu.evt.github.resource_updated');
});
