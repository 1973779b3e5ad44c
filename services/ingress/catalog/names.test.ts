import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignNames, naturalName } from './names.ts';

const legal = /^[A-Za-z0-9_-]{1,64}$/;
const server = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/).filter((name) => !name.includes('__'));
const closeServers = fc.constantFrom('a', 'a_', 'A', 'b');
const closeNames = fc.string({ unit: fc.constantFrom('a', '_', '.', '/', 'ѕ', '😀'), minLength: 1, maxLength: 80 });
const things = fc.uniqueArray(
  fc.record({
    server: fc.oneof(server, closeServers),
    name: fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), closeNames),
  }),
  { selector: ({ server, name }) => `${server}\0${name}`, maxLength: 60 },
);

test('names - are legal for every model and never equal', () => {
  fc.assert(
    fc.property(things, (all) => {
      const names = assignNames(all);
      assert.equal(new Set(names).size, all.length);
      for (const [at, name] of names.entries()) {
        assert.match(name, legal);
        assert.ok(name.startsWith(`${all[at]?.server}__`));
      }
    }),
  );
});

test('names - are the same every time', () => {
  fc.assert(fc.property(things, (all) => assert.deepEqual(assignNames(all), assignNames(all))));
});

test('names - a name that needs no change is never changed', () => {
  fc.assert(
    fc.property(things, (all) => {
      const names = assignNames(all);
      const full = all.map(({ server, name }) => `${server}__${name}`);
      for (const [at, name] of full.entries())
        if (legal.test(name) && full.indexOf(name) === at) assert.equal(names[at], name);
    }),
  );
});

test('names - look-alikes and case are told apart', () => {
  const names = assignNames(['search', 'Search', 'ѕearch', '_earch'].map((name) => ({ server: 's', name })));
  assert.deepEqual([names[0], names[1], names[3]], ['s__search', 's__Search', 's___earch']);
  assert.match(names[2] ?? '', /^s___earch_[0-9a-f]{6}$/);
});

test('names - an underscore on either side of the separator makes two tools', () => {
  const [first, second] = assignNames([
    { server: 'a', name: '_b' },
    { server: 'a_', name: 'b' },
  ]);
  assert.equal(first, 'a___b');
  assert.match(second ?? '', /^a___b_[0-9a-f]{6}$/);
});

test('names - a long name keeps its tail', () => {
  const name = naturalName('github', `${'x'.repeat(80)}_list_comments`);
  assert.equal(name.length, 64);
  assert.match(name, /^github__x+_list_comments_[0-9a-f]{6}$/);
});
