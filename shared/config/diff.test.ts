import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { diffServers } from './diff.ts';
import { type Config, configSchema } from './schema.ts';

const server = fc.record(
  {
    command: fc.constantFrom('x', 'y'),
    args: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    env: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('1', '2')),
    disabled: fc.boolean(),
    instances: fc.integer({ min: 1, max: 2 }),
  },
  { requiredKeys: ['command'] },
);
const config = fc
  .dictionary(fc.constantFrom('a', 'b', 'c', 'constructor'), server, { maxKeys: 4 })
  .map((servers): Config => configSchema.parse({ servers }));

describe('diffServers', () => {
  test('a table of changes - is named', () => {
    const before = configSchema.parse({
      servers: {
        same: { command: 'x' },
        gone: { command: 'x' },
        off: { command: 'x' },
        changed: { command: 'x', env: { A: '1' } },
      },
    });
    const after = configSchema.parse({
      servers: {
        changed: { command: 'x', env: { A: '2' } },
        fresh: { command: 'x' },
        never: { command: 'x', disabled: true },
        off: { command: 'x', disabled: true },
        same: { command: 'x', instances: 1 },
      },
    });
    assert.deepEqual(diffServers(before, after), { added: ['fresh'], removed: ['gone', 'off'], changed: ['changed'] });
  });

  test('what only ingresses look at - needs no new worker', () => {
    const withTools = (own: object) =>
      configSchema.parse({ servers: { s: { command: 'x', ...own }, t: { command: 'y' } } });
    for (const own of [
      { tools: { deny: ['a'] } },
      { limits: { rate: '1/s' } },
      { pin: 'block' },
      { rules: { a: { path: { root: '/data' } } } },
      { shadow: { to: 't' } },
    ]) {
      assert.deepEqual(diffServers(withTools({}), withTools(own)).changed, [], JSON.stringify(own));
    }
    assert.deepEqual(diffServers(withTools({}), withTools({ concurrency: 2 })).changed, ['s']);
  });

  test('any two configurations - mirror each other, and none differs from itself', () => {
    fc.assert(
      fc.property(config, config, (before, after) => {
        const there = diffServers(before, after);
        const back = diffServers(after, before);
        assert.deepEqual(there, { added: back.removed, removed: back.added, changed: back.changed });
        assert.deepEqual(diffServers(before, structuredClone(before)), { added: [], removed: [], changed: [] });
      }),
    );
  });
});
