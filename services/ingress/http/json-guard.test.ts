import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { configSchema } from '../../../shared/config/schema.ts';
import { type JsonBounds, parseGuarded } from './json-guard.ts';

const usual: JsonBounds = configSchema.parse({}).limits;
const { jsonDepth: maxDepth, jsonKeys: maxKeys } = usual;
const parse = (text: string | Buffer, bounds = usual) => parseGuarded(Buffer.from(text), bounds);

function refusedWith(text: string | Buffer): number | undefined {
  const parsed = parse(text);
  return parsed.ok ? undefined : parsed.code;
}

test('json guard - takes what JSON.parse takes and gives the same value', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
      const written = JSON.stringify(JSON.parse(text), null, indent);
      fc.pre(!/"__proto__":|"prototype":/.test(written));
      assert.deepEqual(parse(written), { ok: true, value: JSON.parse(written) });
    }),
    { numRuns: 500 },
  );
});

test('json guard - refuses as -32700 whatever JSON.parse refuses', () => {
  const almostJson = fc.array(
    fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '1', 'a', ' ', 'null', '"k":', '"\\""'),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(almostJson, (pieces) => {
      const text = pieces.join('');
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      if (!isJson) assert.equal(refusedWith(text), -32700);
    }),
    { numRuns: 3000 },
  );
});

test('json guard - finds a duplicate member at any level, however it is escaped', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 6 })
    .filter((text) => text !== '__proto__' && text !== 'constructor');
  fc.assert(
    fc.property(name, fc.json(), fc.json(), fc.nat(5), (key, first, second, depth) => {
      const escaped = Array.from(
        { length: key.length },
        (_, i) => `\\u${key.charCodeAt(i).toString(16).padStart(4, '0')}`,
      );
      const text = `${'{"a":['.repeat(depth)}{${JSON.stringify(key)}:${first},"${escaped.join('')}":${second}}${']}'.repeat(depth)}`;
      assert.equal(refusedWith(text), -32600);
    }),
  );
});

const rows: [name: string, text: string | Buffer, code: number | undefined][] = [
  ['an object', '{"a":{"b":[1,"x:y{}[]",{"a":1}]}}', undefined],
  ['the same name in two objects', '[{"a":1},{"a":2}]', undefined],
  ['a quote after backslashes', '{"a":"\\\\\\"","b":"\\\\"}', undefined],
  [`depth ${maxDepth}`, '['.repeat(maxDepth) + ']'.repeat(maxDepth), undefined],
  [`depth ${maxDepth + 1}`, '['.repeat(maxDepth + 1) + ']'.repeat(maxDepth + 1), -32600],
  ['depth 200,000', '{"a":'.repeat(200_000), -32600],
  [`${maxKeys} members`, `{${Array.from({ length: maxKeys }, (_, i) => `"k${i}":1`).join(',')}}`, undefined],
  [`${maxKeys + 1} members`, `{${Array.from({ length: maxKeys + 1 }, (_, i) => `"k${i}":1`).join(',')}}`, -32600],
  ['__proto__', '{"a":{"__proto__":{"x":1}}}', -32600],
  ['an escaped __proto__', '{"\\u005f_proto__":1}', -32600],
  ['constructor.prototype', '{"constructor":{"prototype":{}}}', -32600],
  ['constructor alone', '{"constructor":"acme"}', undefined],
  ['a number beyond all', '{"a":1e400}', -32600],
  ['an integer of 22 digits', '{"a":-1234567890123456789012}', -32600],
  ['a text with 22 digits', '{"a":"1234567890123456789012","b":6.02e23}', undefined],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), -32700],
  ['a byte order mark', '\ufeff{}', -32700],
  ['nothing', '', -32700],
  ['an open string', '{"a":"b', -32700],
];

for (const [name, text, code] of rows) {
  test(`json guard - ${name} is ${code === undefined ? 'taken' : `refused with ${code}`}`, () => {
    assert.equal(refusedWith(text), code);
  });
}

test('json guard - the configuration may bound depth, members and strings more tightly', () => {
  const tight = { jsonDepth: 4, jsonKeys: 3, stringLength: 5 };
  const messageOf = (text: string) => {
    const parsed = parse(text, tight);
    return parsed.ok ? undefined : parsed.message;
  };
  assert.equal(messageOf('{"a":[[["12345"]]],"b":1,"c":1}'), undefined);
  assert.equal(messageOf('[[[[[]]]]]'), 'Invalid request: nested deeper than 4');
  assert.equal(messageOf('{"a":1,"b":1,"c":1,"d":1}'), 'Invalid request: more than 3 members');
  assert.equal(messageOf('["123456"]'), 'Invalid request: a string is longer than 5');
  assert.equal(messageOf('{"123456":1}'), 'Invalid request: a string is longer than 5');
});
