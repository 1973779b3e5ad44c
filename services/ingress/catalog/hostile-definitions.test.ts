import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { readManifest } from './offering.ts';
import { differencesOf } from './pins/difference.ts';
import { canonical, fingerprint } from './pins/fingerprint.ts';
import { catalogOf, everyone, itemsOf, manifestOf, tool } from './testing/fixtures.ts';

const members = [
  'name',
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  '_meta',
  'icons',
  'execution',
];
const definitions = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(
    fc.constantFrom(...members),
    fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constant({ type: 'object' })),
  ),
);

test('hostile definitions - no definition hides another one or comes out dirty', () => {
  fc.assert(
    fc.property(fc.array(definitions, { maxLength: 6 }), (bad) => {
      const tools = [tool('first'), ...bad, tool('last')] as JsonObject[];
      const catalog = catalogOf({}, [manifestOf('s', { tools })]);
      const view = catalog.view({ kind: 'all' }, everyone);
      for (const era of ['modern', 'legacy'] as const) {
        const listed = itemsOf(view?.list('tools', era, undefined).body ?? '', 'tools');
        const names = listed.map(({ name }) => String(name));
        assert.ok(names.includes('s__first') && names.includes('s__last'));
        for (const { name, description } of listed) {
          assert.match(String(name), /^[A-Za-z0-9_-]{1,64}$/);
          assert.doesNotMatch(String(description ?? ''), /[\u202a-\u202e\u{e0000}-\u{e007f}]/u);
        }
        assert.ok(view?.tool('s__first'));
      }
      catalog.close();
    }),
    { numRuns: 150 },
  );
});

test('hostile definitions - a long description is cut where the configuration says, between characters', () => {
  const [entry] = readManifest('s', manifestOf('s', { tools: [tool('a', { description: `${'x'.repeat(9)}😀y` })] }), 10)
    .entries.tools;
  assert.equal(entry?.shown.description, `${'x'.repeat(9)}…`);
  assert.equal(entry?.definition.description, `${'x'.repeat(9)}😀y`);
});

test('pins - the order of members does not change a fingerprint, anything a model reads does', () => {
  const definition = tool('a', { annotations: { readOnlyHint: true }, _meta: { x: 1 } });
  const shuffled = Object.fromEntries(Object.entries(definition).reverse());
  assert.equal(fingerprint(shuffled), fingerprint({ ...definition, _meta: { x: 2 } }));
  for (const change of [
    { description: 'x' },
    { title: 'x' },
    { inputSchema: {} },
    { outputSchema: {} },
    { annotations: {} },
  ])
    assert.notEqual(fingerprint({ ...definition, ...change }), fingerprint(definition));
  assert.equal(canonical({ b: [1, { d: 'x', c: null }], a: true }), '{"a":true,"b":[1,{"c":null,"d":"x"}]}');
});

test('pins - a difference names the place and shows what cannot be seen', () => {
  const before = tool('a', { description: 'Reads.' });
  const after = tool('a', { description: 'Re\u200bads.', title: 'A' });
  assert.deepEqual(differencesOf(before, after), [
    { at: '/description', old: '"Reads."', new: '"Re\\u{200b}ads."' },
    { at: '/title', new: '"A"' },
  ]);
});
