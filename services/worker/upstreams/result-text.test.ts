import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonRpcResult } from '../../../shared/mcp/json-rpc.ts';
import { verifies } from '../../../test/requirements.ts';
import { resultText } from './result-text.ts';
import { checkMessage, parseJson } from './wire-check.ts';

/** What the worker takes a text for, and the bytes it forwards; undefined for what is no response with a result. */
function taken(bytes: Buffer): { result: unknown; text: string | undefined } | undefined {
  const message = checkMessage(parseJson(bytes));
  if (message === undefined || !('result' in message)) return undefined;
  const { resultType, ...rest } = structuredClone(message.result);
  const result = resultType === undefined || resultType === 'complete' ? rest : message.result;
  const text = resultText(bytes, message satisfies JsonRpcResult);
  return { result, text: text && Buffer.from(text).toString('utf8') };
}

const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const oddKeys = ['result', 'resultType', 'id', '__proto__', 'toString', 'a"b', 'back\\slash', '\\', 'é\u2028', ''];
const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...oddKeys) }, fc.string({ unit: 'grapheme' }));

/** A string as JSON text; some of its characters escaped though they need not be. */
const spelled = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(text, fc.integer({ min: 0, max: 7 }))
    .map(([value, every]) =>
      every === 0
        ? `"${[...Array(value.length).keys()].map((at) => `\\u${value.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(value),
    );

const { value: valueText } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('null', 'true', '-0', '1.50', '12345678901234567890', '1e5', '"complete"', '"task"', '{}', '[]'),
    spelled(fc.string({ unit: 'binary', maxLength: 60 })),
    tie('object'),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(' ,')}]`),
  ),
  object: fc
    .array(fc.tuple(blanks, spelled(key), blanks, tie('value'), blanks), { maxLength: 5 })
    .map((members) => `{${members.map(([a, name, b, value, c]) => `${a}${name}${b}:${value}${c}`).join(',')}}`),
}));

/** Texts that are near to a response: members doubled, missing, escaped, in any order, with a resultType somewhere in the result. */
const responseText = fc
  .tuple(
    fc.shuffledSubarray(['"jsonrpc":"2.0"', '"id":7', '"extra":{"result":{"no":1}}'], { minLength: 2 }),
    fc.array(fc.tuple(spelled(key), valueText), { maxLength: 4 }),
    fc.constantFrom('', '"resultType":"complete"', '"resultType" : "task"', '"resultTyp\\u0065":"complete"'),
    fc.nat(),
    fc.constantFrom('"result"', '"result"', '"resul\\u0074"'),
    fc.nat(),
    blanks,
    fc.boolean(),
  )
  .map(([others, members, type, typeAt, name, resultAt, blank, doubled]) => {
    const inside = members.map(([memberKey, value]) => `${memberKey}${blank}:${value}${blank}`);
    if (type !== '') inside.splice(typeAt % (inside.length + 1), 0, `${blank}${type}${blank}`);
    const result = `${name}:${blank}{${blank}${inside.join(',')}}${blank}`;
    const all = [...others];
    all.splice(resultAt % (all.length + 1), 0, result);
    if (doubled && resultAt % 5 === 0) all.push('"result":{"second":true}');
    return `${blank}{${all.join(`${blank},${blank}`)}}${blank}`;
  });

test('result text - what is forwarded says what was parsed, whatever the server wrote', () => {
  verifies('upstream:bytes');
  let forwarded = 0;
  fc.assert(
    fc.property(responseText, (text) => {
      const outcome = taken(Buffer.from(text, 'utf8'));
      if (outcome?.text === undefined) return;
      forwarded += 1;
      assert.ok(outcome.text.startsWith('{') && outcome.text.endsWith('}'));
      assert.deepEqual(JSON.parse(outcome.text), outcome.result);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(forwarded > 200, `only ${forwarded} texts were forwarded`);
});

test('result text - numbers and the order of members stay as the server wrote them', () => {
  const given = '{"id":1,"result":{"resultType":"complete","b":1.50,"2":12345678901234567890},"jsonrpc":"2.0"}';
  assert.equal(taken(Buffer.from(given))?.text, '{"b":1.50,"2":12345678901234567890}');
});

const ambiguous: Readonly<Record<string, string>> = {
  'a result twice': '{"jsonrpc":"2.0","id":1,"result":{"a":1},"result":{"b":2}}',
  'a result twice, once with escapes': '{"jsonrpc":"2.0","id":1,"result":{"a":1},"r\\u0065sult":{"b":2}}',
  'a result with an escaped name': '{"jsonrpc":"2.0","id":1,"r\\u0065sult":{"a":1}}',
  'an id twice': '{"jsonrpc":"2.0","id":1,"id":2,"result":{"a":1}}',
  'a member of the result twice': '{"jsonrpc":"2.0","id":1,"result":{"isError":true,"isError":false}}',
  'a resultType twice': '{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","resultType":"complete"}}',
  'an escaped resultType': '{"jsonrpc":"2.0","id":1,"result":{"result\\u0054ype":"complete"}}',
};

for (const [what, text] of Object.entries(ambiguous)) {
  test(`result text - ${what} is written anew`, () => {
    const outcome = taken(Buffer.from(text));
    assert.ok(outcome !== undefined, 'it is a response');
    assert.equal(outcome.text, undefined);
  });
}

test('result text - bytes that are no UTF-8 are written anew', () => {
  const bytes = Buffer.concat([
    Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"a":"'),
    Buffer.from([0xff, 0x22, 0x7d, 0x7d]),
  ]);
  const outcome = taken(bytes);
  assert.deepEqual(outcome, { result: { a: '\ufffd' }, text: undefined });
});

const broken: Readonly<Record<string, string>> = {
  'garbage behind the response': '{"jsonrpc":"2.0","id":1,"result":{"a":1}}}',
  'a second response behind it': '{"jsonrpc":"2.0","id":1,"result":{"a":1}}{"jsonrpc":"2.0","id":2,"result":{}}',
  'invalid JSON within the result': '{"jsonrpc":"2.0","id":1,"result":{"a":[1,2,}}}',
  'a control character in a string': '{"jsonrpc":"2.0","id":1,"result":{"a":"\u0001"}}',
  'a result that is no object': '{"jsonrpc":"2.0","id":1,"result":[1]}',
  'a result and an error': '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}',
  'a byte order mark': '\ufeff{"jsonrpc":"2.0","id":1,"result":{}}',
};

for (const [what, text] of Object.entries(broken)) {
  for (const size of ['small', 'large']) {
    test(`result text - ${what} is no response, in a ${size} answer`, () => {
      const padded = size === 'small' ? text : text.replace('"id":1', `"id":1,"pad":"${'x'.repeat(100_000)}"`);
      assert.equal(taken(Buffer.from(padded)), undefined);
    });
  }
}

test('result text - a long string with quotes and backslashes at every place ends where it ends', () => {
  for (let length = 0; length < 80; length += 1) {
    const value = `${'x'.repeat(length)}\\"\\\\`;
    const text = `{"jsonrpc":"2.0","id":1,"result":{"a":${JSON.stringify(value)},"b":[${JSON.stringify(value)}]}}`;
    assert.deepEqual(JSON.parse(taken(Buffer.from(text))?.text ?? ''), { a: value, b: [value] });
  }
});
