import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../../../shared/mcp/json.ts';

/** Schemas and values for property tests. */

const names = fc.constantFrom('a', 'b', 'c', 'toString', 'id', 'pattern');
const scalars: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abc', '2026-01-01'),
  fc.integer({ min: -3, max: 5 }),
  fc.boolean(),
  fc.constant(null),
);

/** Small values, so that schemas and values meet often enough. */
export const values: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
  ),
})).value;

/** Valid schemas of 2020-12, without references and formats. */
export const schemas: fc.Arbitrary<JsonObject> = fc.letrec<{ schema: JsonObject }>((tie) => {
  const inner = tie('schema');
  const some = fc.array(inner, { minLength: 1, maxLength: 2 });
  const lists = ['allOf', 'anyOf', 'oneOf'].map((keyword) => [keyword, some] as const);
  const singles = ['not', 'if', 'then', 'else'].map((keyword) => [keyword, inner] as const);
  const optional = { requiredKeys: [] as [] };
  return {
    schema: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.record(
        {
          type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'null', 'object', 'array'),
          enum: fc.array(scalars, { minLength: 1, maxLength: 3 }),
          minLength: fc.nat(2),
          maximum: fc.integer({ min: 0, max: 3 }),
          multipleOf: fc.constantFrom(1, 2, 0.5),
          pattern: fc.constantFrom('^a', 'b$', '^[a-c]*$', '\\d'),
        },
        optional,
      ),
      fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(names, inner, { maxKeys: 3 }),
          patternProperties: fc.dictionary(fc.constantFrom('^a', 'b|c'), inner, { maxKeys: 2 }),
          additionalProperties: fc.oneof(fc.boolean(), inner),
          required: fc.uniqueArray(names, { maxLength: 2 }),
          maxProperties: fc.nat(3),
        },
        optional,
      ),
      fc.record(
        {
          type: fc.constant('array'),
          items: fc.oneof(fc.boolean(), inner),
          prefixItems: some,
          contains: inner,
          uniqueItems: fc.boolean(),
          minItems: fc.nat(2),
        },
        optional,
      ),
      fc.record(Object.fromEntries([...lists, ...singles]), optional),
    ),
  } as { schema: fc.Arbitrary<JsonObject> };
}).schema;
