import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import { verifies } from '../../../test/requirements.ts';
import { generateValidator } from './generate.ts';
import { inspectSchema } from './inspect.ts';
import { instantiate } from './instantiate.ts';
import { relaxSchema } from './relax.ts';
import { schemas } from './testing/schemas.ts';

function whyNot(schema: JsonObject): string | undefined {
  const inspected = inspectSchema(schema);
  return inspected.ok ? undefined : inspected.why;
}

/** `n` definitions each of which applies the next one twice. */
function doubling(n: number): JsonObject {
  const $defs: JsonObject = { d0: { type: 'string' } };
  for (let at = 1; at <= n; at += 1) {
    const before = { $ref: `#/$defs/d${at - 1}` };
    $defs[`d${at}`] = { allOf: [before, before] };
  }
  return { type: 'object', properties: { a: { $ref: `#/$defs/d${n}` } }, $defs };
}

function nested(depth: number): JsonObject {
  return depth === 0 ? {} : { type: 'object', properties: { a: nested(depth - 1) } };
}

const cases: readonly (readonly [name: string, schema: JsonObject, why: RegExp | undefined])[] = [
  ['2020-12', { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' }, undefined],
  ['draft-07', { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' }, undefined],
  ['draft-04', { $schema: 'http://json-schema.org/draft-04/schema#' }, /dialect not supported/],
  ['2019-09', { $schema: 'https://json-schema.org/draft/2019-09/schema' }, /dialect not supported/],
  ['a dialect of its own', { $schema: 'https://example.com/mine' }, /dialect not supported/],
  ['unnamed draft-07', { properties: { a: { items: [{ type: 'string' }] } } }, undefined],
  ['a list of items in 2020-12', { $schema: 'https://json-schema.org/draft/2020-12/schema', items: [{}] }, /"items"/],
  ['an unknown type', { properties: { a: { type: 'strng' } } }, /"type" is no type/],
  ['a property that is no schema', { properties: { a: 'string' } }, /"properties" holds something/],
  ['required as in draft-03', { properties: { a: { type: 'string', required: true } } }, /"required"/],
  ['a property named like a keyword', { properties: { required: { type: 'boolean' }, type: {} } }, undefined],
  ['extensions', { properties: { a: { type: 'string', 'x-mcp-header': 'A', format: 'phone' } } }, undefined],
  ['a remote reference', { properties: { a: { $ref: 'https://evil.test/schema.json' } } }, /never fetched/],
  ['a remote reference by scheme', { properties: { a: { $ref: '//evil.test/x' } } }, /never fetched/],
  ['a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, /never fetched/],
  ['a missing definition', { properties: { a: { $ref: '#/$defs/b' } } }, /does not have/],
  ['a definition', { properties: { a: { $ref: '#/$defs/b%20c' } }, $defs: { 'b c': { type: 'string' } } }, undefined],
  ['an anchor', { properties: { a: { $ref: '#here' } }, $defs: { b: { $anchor: 'here' } } }, undefined],
  [
    'its own id',
    { $id: 'https://a.test/s', properties: { a: { $ref: 'https://a.test/s#/$defs/b' } }, $defs: { b: {} } },
    undefined,
  ],
  [
    'an embedded id',
    { $id: 'https://a.test/s', properties: { a: { $ref: 'b' } }, $defs: { b: { $id: 'b' } } },
    undefined,
  ],
  ['a tree', { properties: { children: { type: 'array', items: { $ref: '#' } } } }, undefined],
  ['a reference to itself', { $ref: '#' }, /without end/],
  [
    'references in a circle',
    { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
    /without end/,
  ],
  ['a bomb of references', doubling(28), /apply more than 2000/],
  ['a depth bomb', nested(33), /nested deeper than 32/],
  ['deep and honest', nested(20), undefined],
  [
    'too many subschemas',
    { properties: Object.fromEntries(Array.from({ length: 2_001 }, (_, at) => [`p${at}`, {}])) },
    /2000 subschemas/,
  ],
  ['too large', { description: 'x'.repeat(262_144) }, /larger than/],
  [
    'a prototype',
    JSON.parse('{"properties":{"__proto__":{"type":"string"},"constructor":{"type":"object"}}}'),
    undefined,
  ],
];

for (const [name, schema, why] of cases) {
  test(`schema inspection - ${name} ${why === undefined ? 'passes' : 'is refused'}`, () => {
    const found = whyNot(schema);
    if (why === undefined) assert.equal(found, undefined);
    else assert.match(found ?? 'passed', why);
  });
}

test('schema inspection - hostile schemas cost no more than their size', () => {
  verifies('validation:schema-bombs');
  const begun = performance.now();
  for (const schema of [
    doubling(900),
    nested(80),
    { allOf: Array.from({ length: 1_900 }, () => ({ $ref: '#/$defs/a' })), $defs: { a: {} } },
  ])
    inspectSchema(schema);
  assert.ok(performance.now() - begun < 2_000);
});

test('schema inspection - what passes compiles', () => {
  fc.assert(
    fc.property(schemas, (schema) => {
      const inspected = inspectSchema(schema);
      assert.ok(inspected.ok);
      instantiate(generateValidator(relaxSchema(schema, inspected.dialect).schema, inspected.dialect, false));
    }),
    { numRuns: 60 },
  );
});

test('schema inspection - any JSON gets a verdict, and what passes compiles', () => {
  const keywords = [
    'type',
    'properties',
    'items',
    'required',
    '$ref',
    'allOf',
    'pattern',
    'enum',
    '$id',
    'id',
    'nullable',
    'not',
  ];
  const anything = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom('object', 'string', '#', '#/properties/a', 'a', '^a', '('),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keywords, 'a'), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keywords), anything), (schema) => {
      const inspected = inspectSchema(schema);
      if (!inspected.ok) assert.ok(inspected.why.length > 0);
      else generateValidator(relaxSchema(schema, inspected.dialect).schema, inspected.dialect, true);
    }),
    { numRuns: 300 },
  );
});
