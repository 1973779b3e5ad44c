import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import { verifies } from '../../../test/requirements.ts';
import { generateValidator } from './generate.ts';
import { instantiate } from './instantiate.ts';
import { measure } from './measure.ts';
import { relaxSchema } from './relax.ts';
import { schemas, values } from './testing/schemas.ts';
import { createValidationThread } from './thread.ts';
import { createValidators, type Verdict } from './validators.ts';

const thread = createValidationThread((error) => assert.fail(error));
const validators = createValidators(thread);
after(() => thread.close());

async function check(schema: JsonObject, value: JsonValue): Promise<Verdict> {
  const made = await validators.of(schema);
  assert.ok(made.ok, made.ok ? '' : made.why);
  return made.validator.check(value, measure(value));
}

async function reasons(schema: JsonObject, value: JsonValue): Promise<string[]> {
  const verdict = await check(schema, value);
  return verdict.kind === 'invalid'
    ? verdict.problems.map(({ instancePath, keyword }) => `${instancePath} ${keyword}`)
    : [verdict.kind];
}

test('validators - two different patterns are never taken for one', async () => {
  verifies('validation:pattern-identity');
  const properties = { a: { type: 'string', pattern: '^[0-9]+$' }, b: { type: 'string', pattern: '^[a-z]+$' } };
  const schema = { type: 'object', properties };
  assert.deepEqual(await reasons(schema, { a: '123', b: '123' }), ['/b pattern']);
  assert.deepEqual(await reasons(schema, { a: '123', b: 'abc' }), ['valid']);
});

test('validators - every problem is named, not the first alone', async () => {
  const schema = {
    type: 'object',
    properties: { n: { type: 'integer' } },
    required: ['a', 'b'],
    additionalProperties: false,
  };
  assert.deepEqual(await reasons(schema, { n: 1.5, x: 1 }), [
    ' required',
    ' required',
    ' additionalProperties',
    '/n type',
  ]);
});

test('validators - what every object inherits meets no requirement', async () => {
  assert.deepEqual(await reasons({ type: 'object', required: ['toString', 'constructor'] }, {}), [
    ' required',
    ' required',
  ]);
});

test('validators - a backtracking pattern costs no more than any other', async () => {
  verifies('validation:redos');
  const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
  await check(schema, { a: 'a' });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const begun = performance.now();
  assert.deepEqual(await reasons(schema, { a: `${'a'.repeat(100_000)}!` }), ['/a pattern']);
  assert.ok(performance.now() - begun < 3_000);
  delay.disable();
  assert.equal((await check(schema, { a: 'a'.repeat(100_000) })).kind, 'valid');
});

test('validators - patterns that RE2 does not know are not enforced and named', async () => {
  const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(?=x)y' }, b: { pattern: '^b$' } } };
  const made = await validators.of(schema);
  assert.ok(made.ok);
  assert.deepEqual(made.validator.unenforced, ['^(?=x)y']);
  assert.deepEqual(await reasons(schema, { a: 'anything', b: 'c' }), ['/b pattern']);
});

test('validators - a pattern that is not enforced refuses nothing, wherever it stands', async () => {
  const lost = { pattern: '(?=x)' };
  for (const schema of [
    { properties: { a: { not: lost } } },
    { properties: { a: { oneOf: [lost, { type: 'string' }] } } },
    { patternProperties: { '(?=a)': {} }, additionalProperties: false },
    { properties: { a: { if: lost, else: false } } },
    { properties: { a: { $ref: '#/$defs/l' } }, $defs: { l: { not: { allOf: [lost] } } } },
  ])
    assert.equal((await check({ type: 'object', ...schema }, { a: 'text' })).kind, 'valid', JSON.stringify(schema));
});

test('validators - words that only the engine knows mean nothing', async () => {
  const properties = {
    a: { nullable: true, anyOf: [{ type: 'string' }] },
    b: { id: 'b', type: 'string', nullable: true },
    c: { $async: true, type: 'number', minimum: { $data: '1/d' } as JsonValue },
  };
  assert.deepEqual(await validators.of({ type: 'object', properties }), {
    ok: false,
    why: '"minimum" is not a number',
  });
  const { c: _c, ...known } = properties;
  assert.deepEqual(await reasons({ $async: true, type: 'object', properties: known }, { a: null, b: null }), [
    '/a type',
    '/a anyOf',
  ]);
});

test('validators - formats are checked where they are plain, and ignored where not', async () => {
  const of = (format: string): JsonObject => ({ type: 'object', properties: { a: { type: 'string', format } } });
  for (const [format, good, bad] of [
    ['date', '2024-02-29', '2023-02-29'],
    ['date-time', '2026-01-01T10:00:00', 'tomorrow'],
    ['email', 'a@b', 'a b'],
    ['uri', 'mailto:a@b', 'no scheme'],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000', '123'],
    ['ipv4', '127.0.0.1', '127.1'],
  ] as const) {
    assert.equal((await check(of(format), { a: good })).kind, 'valid', format);
    assert.deepEqual(await reasons(of(format), { a: bad }), ['/a format']);
  }
  assert.equal((await check(of('phone'), { a: 'x' })).kind, 'valid');
});

test('validators - draft-07 and 2020-12 have their own words', async () => {
  const draft7 = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    properties: { a: { items: [{ type: 'string' }], additionalItems: false } },
  };
  assert.deepEqual(await reasons(draft7, { a: ['x', 1] }), ['/a additionalItems']);
  const modern = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    properties: { a: { prefixItems: [{ type: 'string' }], items: false } },
  };
  assert.deepEqual(await reasons(modern, { a: ['x', 1] }), ['/a items']);
});

test('validators - a value that takes too long ends the thread, not the ingress', async () => {
  verifies('validation:bounded');
  const child = { $ref: '#/$defs/node' };
  // Each level of the value is checked twice as often as the one above it.
  const schema = {
    type: 'object',
    properties: { a: child },
    $defs: { node: { type: 'object', properties: { a: { allOf: [child, child] } } } },
  };
  let value: JsonObject = {};
  for (let depth = 0; depth < 60; depth += 1) value = { a: value };
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const overruns = thread.overruns;
  const [slow, other] = await Promise.all([
    check(schema, value),
    check({ type: 'object', properties: { a: { type: 'string' } } }, { a: 1 }),
  ]);
  delay.disable();
  assert.equal(slow.kind, 'slow');
  assert.equal(other.kind, 'invalid');
  assert.equal(thread.overruns, overruns + 1);
  assert.equal((await check(schema, { a: {} })).kind, 'valid');
});

test('validators - many items compared with each other do not stop the event loop', async () => {
  const schema = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
  await check(schema, { a: [] });
  const value = { a: Array.from({ length: 30_000 }, (_, at) => [at]) };
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 5);
  const verdict = await check(schema, value);
  clearInterval(ticking);
  assert.ok(['slow', 'valid'].includes(verdict.kind));
  assert.ok(turns > 5, `the loop turned ${turns} times meanwhile`);
});

test('validators - the verdict is that of the engine alone', () => {
  verifies('validation:same-verdict');
  const engine = new Ajv2020({ strict: false, logger: false, ownProperties: true });
  fc.assert(
    fc.property(schemas, fc.array(values, { minLength: 1, maxLength: 5 }), (schema, some) => {
      const plain = engine.compile(schema);
      const ours = instantiate(generateValidator(relaxSchema(schema, '2020-12').schema, '2020-12', false));
      for (const value of some) assert.equal(ours(value), plain(value));
      engine.removeSchema(schema);
    }),
    { numRuns: 80 },
  );
});

test('measure - integers that readers disagree on are named, others are not', () => {
  const args = JSON.parse(
    '{"a":[1,{"b/c":9007199254740993}],"n":-9007199254740992,"ok":9007199254740991,"mole":6.02e23,"x":1.5}',
  );
  assert.deepEqual(measure(args).unsafe, ['/a/1/b~1c', '/n']);
  assert.equal(measure({ a: 'bc', d: [1] }).values, 4);
});
