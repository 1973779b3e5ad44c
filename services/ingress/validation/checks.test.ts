import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { configSchema } from '../../../shared/config/schema.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Target } from '../catalog/catalog.ts';
import { createChecks } from './checks.ts';

const config = configSchema.parse({
  servers: {
    s: { command: 'x' },
    strict: { command: 'x', validation: { unsupportedPatterns: 'quarantine' } },
    open: { command: 'x', validation: { arguments: false }, rules: { t: { a: { maxLength: 3 } } } },
  },
});
const unusable: string[] = [];
const checks = createChecks({
  log: pino({ level: 'silent' }),
  config: () => config,
  onUnusable: ({ server, target }, why) => unusable.push(`${server} ${target}: ${why}`) > 0,
});
after(() => checks.close());

function target(server: string, name: string, inputSchema: JsonObject): Target {
  return { server, target: name, definition: { name, inputSchema } };
}

/** Passes inspection, because the definition stands where no keyword is; the engine cannot compile it. */
const late: JsonObject = {
  type: 'object',
  properties: { a: { $ref: '#/x-parts/p' } },
  'x-parts': { p: { pattern: '(?=x)' } },
};

test('checks - a schema that only fails when it is compiled takes its tool away', async () => {
  assert.deepEqual(await checks.call(target('s', 'late', late), 's__late', { a: 'x' }), { kind: 'withheld' });
  assert.match(unusable.at(-1) ?? '', /^s late: its schema cannot be used: /);
});

test('checks - a pattern that RE2 does not know takes a tool away only where that is configured', async () => {
  const schema = { type: 'object', properties: { a: { type: 'string', pattern: '(?=x)y' } } };
  assert.equal(await checks.call(target('s', 't', schema), 's__t', { a: 'x' }), undefined);
  assert.deepEqual(await checks.call(target('strict', 't', schema), 'strict__t', { a: 'x' }), { kind: 'withheld' });
  await checks.vet([target('strict', 'other', { ...schema, title: 'other' })]);
  assert.match(unusable.at(-1) ?? '', /^strict other: .*RE2/);
});

test('checks - a definition is checked by its own schema, whatever the tool is now', async () => {
  const old = target('s', 'changing', { type: 'object', required: ['a'] });
  const now = target('s', 'changing', { type: 'object', required: ['b'] });
  assert.equal(await checks.call(now, 's__changing', { b: 1 }), undefined);
  assert.equal(await checks.call(old, 's__changing', { a: 1 }), undefined);
  const objection = await checks.call(old, 's__changing', { b: 1 });
  assert.match(objection?.kind === 'refused' ? objection.text : '', /\/a: is required/);
});

test('checks - without schemas numbers and rules still count, and refusals are counted', async () => {
  const tool = target('open', 't', { type: 'object', required: ['never'] });
  const before = { ...checks.refused };
  assert.equal(await checks.call(tool, 'open__t', { a: 'abc' }), undefined);
  assert.equal((await checks.call(tool, 'open__t', { a: 'abcd' }))?.kind, 'refused');
  assert.equal((await checks.call(tool, 'open__t', { n: 2 ** 60 }))?.kind, 'refused');
  assert.deepEqual({ ...checks.refused }, { schema: before.schema + 1, rule: before.rule + 1 });
});

test('checks - the second call of a tool does not wait for anything', async () => {
  const tool = target('s', 'hot', { type: 'object', properties: { a: { type: 'string' } } });
  await checks.call(tool, 's__hot', { a: 'x' });
  assert.equal(checks.call(tool, 's__hot', { a: 'x' }), undefined);
});

test('checks - more than the thread can take is refused as overload, not queued without end', async () => {
  const heavy = target('s', 'heavy', { type: 'object', properties: { a: { type: 'string', pattern: '^a*$' } } });
  await checks.call(heavy, 's__heavy', { a: 'a' });
  const args = { a: 'a'.repeat(20_000) };
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, async () => checks.call(heavy, 's__heavy', args)),
  );
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason.reason);
  assert.ok(refused.length > 0 && refused.length < 200);
  assert.deepEqual([...new Set(refused)], ['overloaded']);
});
