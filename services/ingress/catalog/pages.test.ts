import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealer } from '../../../shared/seal.ts';
import { InvalidCursor } from './catalog.ts';
import { listEntry } from './listed.ts';
import { createPages } from './pages.ts';
import { itemsOf, sealer, tool } from './testing/fixtures.ts';

function listOf(names: readonly string[]) {
  return names.map((name) => {
    const definition = tool(name);
    return listEntry('tools', { server: 's', target: name, definition, shown: definition }, name);
  });
}

function read(body: Uint8Array): { names: unknown[]; cursor: string | undefined } {
  const cursor: unknown = JSON.parse(Buffer.from(body).toString()).nextCursor;
  return {
    names: itemsOf(body, 'tools').map(({ name }) => name),
    cursor: typeof cursor === 'string' ? cursor : undefined,
  };
}

test('pages - together hold every item once, in order, within the limits', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 400 }), (all, items, bytes) => {
      const pages = createPages('tools', listOf(all), sealer, { items, bytes });
      const seen: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = read(pages.page('modern', cursor));
        assert.ok(page.names.length >= 1 && page.names.length <= items);
        seen.push(...page.names);
        cursor = page.cursor;
      } while (cursor !== undefined);
      assert.deepEqual(seen, all);
    }),
    { numRuns: 50 },
  );
});

test('pages - another ingress with the same list goes on with the cursor', () => {
  const limits = { items: 2, bytes: 10_000 };
  const here = createPages('tools', listOf(['a', 'b', 'c']), sealer, limits);
  const there = createPages('tools', listOf(['a', 'b', 'c']), createSealer('a secret of the tests'), limits);
  const { cursor } = read(here.page('modern', undefined));
  assert.deepEqual(read(there.page('modern', cursor)).names, ['c']);
});

test('pages - refuse a cursor that is empty, forged, of another list or of another version', () => {
  const limits = { items: 2, bytes: 10_000 };
  const pages = createPages('tools', listOf(['a', 'b', 'c']), sealer, limits);
  const { cursor = '' } = read(pages.page('modern', undefined));
  const changed = createPages('tools', listOf(['a', 'b', 'd']), sealer, limits);
  const other = createPages('prompts', listOf(['a', 'b', 'c']), sealer, limits);
  const forged = sealer.seal('request-state', { kind: 'tools', version: pages.version, offset: 1 });
  const beyond = sealer.seal('cursor', { kind: 'tools', version: pages.version, offset: 3 });
  for (const bad of ['', 'x', `${cursor}A`, forged, beyond])
    assert.throws(() => pages.page('modern', bad), InvalidCursor, bad);
  assert.throws(() => changed.page('modern', cursor), InvalidCursor);
  assert.throws(() => other.page('modern', cursor), InvalidCursor);
});

test('pages - are made once, and once for both eras when the eras do not differ', () => {
  const pages = createPages('tools', listOf(['a']), sealer);
  assert.equal(pages.page('modern', undefined), pages.page('modern', undefined));
  assert.equal(pages.page('legacy', undefined), pages.page('modern', undefined));
});

test('pages - an empty list is one empty page', () => {
  assert.equal(Buffer.from(createPages('tools', [], sealer).page('modern', undefined)).toString(), '{"tools":[]}');
});
