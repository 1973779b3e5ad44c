import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLogger } from '../../../shared/log.ts';
import { createSpool } from './spool.ts';

function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'toolbus-spool-'));
  const spool = createSpool({ directory, writer: 'W', maxBytes: 1_000_000, log: createLogger('silent', 'test') });
  t.after(async () => {
    await spool.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const append = (...ids: string[]) =>
    Promise.all(ids.map((id) => spool.append(id, JSON.stringify({ v: 1, kind: 'outcome', id }), true)));
  const shipped: string[] = [];
  const refused = new Set<string>();
  const ship = () =>
    spool.ship(async ({ id }) => {
      if (refused.has(id)) throw new Error('not recorded yet');
      shipped.push(id);
    });
  return { directory, spool, append, refused, ship, shipped };
}

test('audit spool - what is in the stream after all is not shipped, however often shipping stops', async (t) => {
  const { spool, append, refused, ship, shipped, directory } = open(t);
  await append('a.o', 'b.o', 'c.o');
  spool.forget('a.o');
  refused.add('c.o');
  for (let tries = 0; tries < 3; tries += 1) await assert.rejects(ship());
  refused.clear();
  await ship();
  assert.deepEqual(shipped, ['b.o', 'c.o']);
  assert.deepEqual(readdirSync(directory), [], 'nothing is left on the disk');
  assert.equal(spool.pending, 0);
});

test('audit spool - an entry that is forgotten before it is on the disk is not shipped', async (t) => {
  const { spool, append, ship, shipped } = open(t);
  const written = append('a.o', 'b.o');
  spool.forget('b.o');
  await written;
  await ship();
  assert.deepEqual(shipped, ['a.o']);
});
