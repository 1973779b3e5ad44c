import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrapOutputSchema, wrapsOutput } from './output-schema.ts';

test('output schema - only what is not an object is wrapped', () => {
  assert.equal(wrapsOutput({}), false);
  assert.equal(wrapsOutput({ outputSchema: { type: 'object' } }), false);
  for (const outputSchema of [{ type: 'array' }, { oneOf: [] }, {}, true])
    assert.equal(wrapsOutput({ outputSchema }), true);
});

test('output schema - the wrapper holds the schema as its result', () => {
  assert.deepEqual(wrapOutputSchema({ type: 'array', items: { type: 'string' } }), {
    type: 'object',
    properties: { result: { type: 'array', items: { type: 'string' } } },
    required: ['result'],
  });
});

test('output schema - references still lead where they led', () => {
  const wrapped = wrapOutputSchema({
    $defs: { leaf: { anyOf: [{ $ref: '#' }, { $ref: '#/items' }] } },
    type: 'array',
    items: { $ref: '#/$defs/leaf' },
  });
  assert.deepEqual(wrapped, {
    type: 'object',
    required: ['result'],
    properties: { result: { type: 'array', items: { $ref: '#/$defs/leaf' } } },
    $defs: { leaf: { anyOf: [{ $ref: '#/properties/result' }, { $ref: '#/properties/result/items' }] } },
  });
});
