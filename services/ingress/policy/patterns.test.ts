import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyOf, covers, reaches } from './patterns.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.'), maxLength: 12 });
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '*'), maxLength: 8 });

test('patterns - agree with the regular expression they stand for', () => {
  fc.assert(
    fc.property(pattern, text, (glob, value) => {
      const expression = glob
        .split('*')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('.*');
      assert.equal(anyOf([glob])(value), new RegExp(`^${expression}$`).test(value));
    }),
    { numRuns: 5_000 },
  );
});

test('patterns - a pattern that matches a text with a prefix reaches it, and one that covers it matches', () => {
  fc.assert(
    fc.property(pattern, text, text, (glob, prefix, rest) => {
      if (anyOf([glob])(prefix + rest)) assert.ok(reaches(glob, prefix));
      if (covers(glob, prefix)) assert.ok(anyOf([glob])(prefix + rest));
    }),
    { numRuns: 5_000 },
  );
});

test('patterns - none match nothing', () => {
  assert.equal(anyOf([])(''), false);
});

test('patterns - a hostile pattern costs no more than its length', () => {
  assert.equal(anyOf([`${'*a'.repeat(5_000)}*b`])('a'.repeat(100_000)), false);
});
