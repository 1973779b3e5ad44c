import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { resultsFormat } from './results.ts';
import { readStored } from './stored.ts';

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'toolbus-bench-stored-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'stored.json');
  writeFileSync(file, text);
  return file;
}

test('stored run - of this format is read', (t) => {
  const stored = readStored(
    fileWith(t, JSON.stringify({ format: resultsFormat, figures: {}, machine: {}, date: 'x' })),
  );
  assert.equal(stored.kind === 'run' && stored.results.date, 'x');
});

test('stored run - of another format is told apart, not refused', (t) => {
  const stored = readStored(fileWith(t, JSON.stringify({ format: 1, figures: {}, machine: {} })));
  assert.deepEqual(stored, { kind: 'other format', format: 1 });
});

test('stored run - there need not be one', () => {
  assert.deepEqual(readStored(join(tmpdir(), 'no such folder', 'stored.json')), { kind: 'none' });
});

test('stored run - what is none is refused by its name', (t) => {
  for (const text of ['', 'null', '7', '{"figures":{}}', `{"format":${resultsFormat}}`]) {
    assert.throws(() => readStored(fileWith(t, text)), /stored\.json is not a stored run of this benchmark/, text);
  }
});
