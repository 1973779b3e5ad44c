import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  argumentAt,
  decodeHeaderValue,
  encodeHeaderValue,
  headerMatches,
  headerText,
  nameMember,
  scanHeaderParams,
} from './mcp-headers.ts';

test('header value - every string survives encoding and is printable ASCII on the wire', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const wire = encodeHeaderValue(value);
      assert.match(wire, /^[\t\x20-\x7e]+$/);
      assert.equal(decodeHeaderValue(` ${wire}\t`), value);
    }),
  );
});

test('header value - plain text stays, everything ambiguous is wrapped', () => {
  assert.equal(encodeHeaderValue('get_weather'), 'get_weather');
  assert.equal(encodeHeaderValue('a b'), 'a b');
  for (const value of ['', ' a', 'a ', 'ü', 'a\nb', '=?base64?YQ==?=']) {
    assert.match(encodeHeaderValue(value), /^=\?base64\?.*\?=$/, JSON.stringify(value));
  }
});

test('header value - a sentinel around garbage is refused', () => {
  assert.equal(decodeHeaderValue('=?base64?***?='), undefined);
  assert.equal(decodeHeaderValue('=?base64?/w==?='), undefined, 'bytes that are no UTF-8');
  assert.equal(decodeHeaderValue('=?base64?='), '=?base64?=', 'too short to be a sentinel');
});

test('header text - follows the conversion rules and is compared by value', () => {
  assert.equal(headerText(true), 'true');
  assert.equal(headerText(-7), '-7');
  assert.equal(headerText(null), undefined);
  assert.equal(headerText(undefined), undefined);
  assert.equal(headerText(2 ** 60), undefined);
  assert.equal(headerText({}), undefined);
  assert.ok(headerMatches('42.0', 42));
  assert.ok(!headerMatches('', 0));
  assert.ok(!headerMatches('0x2a', 42));
  assert.ok(!headerMatches('True', true));
});

test('name header - mirrors the member the method names', () => {
  assert.equal(nameMember('tools/call'), 'name');
  assert.equal(nameMember('resources/read'), 'uri');
  assert.equal(nameMember('tasks/get'), 'taskId');
  assert.equal(nameMember('tools/list'), undefined);
});

test('header params - are found at any depth of properties', () => {
  const scan = scanHeaderParams({
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      nested: { type: 'object', properties: { limit: { type: 'integer', 'x-mcp-header': 'Limit' } } },
      ratio: { type: 'number', 'x-mcp-header': 'Ratio' },
    },
  });
  assert.deepEqual(scan, {
    ok: true,
    params: [
      { path: ['region'], header: 'Region', type: 'string' },
      { path: ['nested', 'limit'], header: 'Limit', type: 'integer' },
      { path: ['ratio'], header: 'Ratio', type: 'number' },
    ],
  });
  assert.deepEqual(scanHeaderParams(undefined), { ok: true, params: [] });
  assert.deepEqual(scanHeaderParams(true), { ok: true, params: [] });
});

const annotated = { type: 'string', 'x-mcp-header': 'A' };
const invalid: Record<string, object> = {
  'the root': { ...annotated },
  'an object': { properties: { a: { type: 'object', 'x-mcp-header': 'A' } } },
  'no type': { properties: { a: { 'x-mcp-header': 'A' } } },
  'an empty name': { properties: { a: { type: 'string', 'x-mcp-header': '' } } },
  'a name with a line break': { properties: { a: { type: 'string', 'x-mcp-header': 'A\r\nB' } } },
  'no string': { properties: { a: { type: 'string', 'x-mcp-header': 1 } } },
  'a name used twice': { properties: { a: annotated, b: { type: 'string', 'x-mcp-header': 'a' } } },
  'array items': { properties: { a: { type: 'array', items: annotated } } },
  'a property below oneOf': { oneOf: [{ properties: { a: annotated } }] },
  $defs: { $defs: { a: annotated } },
};
for (const [what, schema] of Object.entries(invalid)) {
  test(`header params - an annotation on ${what} makes the tool invalid`, () => {
    const scan = scanHeaderParams(JSON.parse(JSON.stringify(schema)));
    assert.equal(scan.ok, false);
  });
}

test('header params - a property that is called like a keyword is a property', () => {
  const scan = scanHeaderParams({
    properties: { items: annotated, properties: { ...annotated, 'x-mcp-header': 'B' } },
  });
  assert.deepEqual(scan.ok && scan.params.map((param) => param.path.join('.')), ['items', 'properties']);
});

test('argument path - sees own members only', () => {
  assert.equal(argumentAt({ a: { b: 1 } }, ['a', 'b']), 1);
  assert.equal(argumentAt({ a: 'x' }, ['a', 'length']), undefined);
  assert.equal(argumentAt({}, ['constructor']), undefined);
  assert.equal(argumentAt(undefined, ['a']), undefined);
});
