import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../mcp/json.ts';
import { diffJson } from './json-diff.ts';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;

test('json diff - equal values have no difference, whatever the order of members', () => {
  fc.assert(fc.property(json, (value) => assert.deepEqual(diffJson(value, JSON.parse(JSON.stringify(value))), [])));
  assert.deepEqual(diffJson({ a: 1, b: [2] }, { b: [2], a: 1 }), []);
});

test('json diff - different values have one at least, and the same ones from both sides', () => {
  fc.assert(
    fc.property(json, json, (one, two) => {
      const there = diffJson(one, two);
      const back = diffJson(two, one);
      const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(two));
      if (same) assert.deepEqual(there, []);
      assert.deepEqual(there.map(({ path }) => path).sort(), back.map(({ path }) => path).sort());
    }),
  );
});

test('json diff - names the field, with what was and what is', () => {
  assert.deepEqual(diffJson({ a: { 'x/y': [1, 2] }, gone: true }, { a: { 'x/y': [1, 3] }, new: 1 }), [
    { path: '/a/x~1y/1', before: 2, after: 3 },
    { path: '/gone', before: true, after: undefined },
    { path: '/new', before: undefined, after: 1 },
  ]);
});

test('json diff - enters text that is JSON on both sides', () => {
  const text = (price: number) => ({ content: [{ type: 'text', text: JSON.stringify({ item: 7, price }) }] });
  assert.deepEqual(diffJson(text(1), text(2)), [{ path: '/content/0/text/price', before: 1, after: 2 }]);
  assert.deepEqual(diffJson({ t: '{"a":1}' }, { t: 'plain' }), [{ path: '/t', before: '{"a":1}', after: 'plain' }]);
});

test('json diff - leaves out what the rules ignore', () => {
  const [one, two] = [
    {
      items: [
        { id: 1, at: 5 },
        { id: 2, at: 6 },
      ],
      meta: { a: { b: 1 } },
    },
    {
      items: [
        { id: 1, at: 7 },
        { id: 3, at: 8 },
      ],
      meta: { a: { b: 2 } },
    },
  ];
  assert.deepEqual(diffJson(one, two, ['/items/*/at', '/meta/**']), [{ path: '/items/1/id', before: 2, after: 3 }]);
  assert.equal(diffJson(one, two, ['/items']).length, 1);
  assert.deepEqual(diffJson(one, two, ['/**']), []);
});

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, held]) => [name, sorted(held as JsonValue)]),
  );
}
