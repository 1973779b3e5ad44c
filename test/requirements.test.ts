import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTestFile, root, sourceFiles } from './helpers/source-files.ts';
import { requirements, subjects } from './requirements.ts';

test('requirements - every one is cited by a test', () => {
  const cited = new Set<string>();
  for (const file of ['services', 'shared', 'test'].flatMap(sourceFiles)) {
    if (!isTestFile(file) || file.startsWith('test/requirements')) continue;
    for (const call of readFileSync(join(root, file), 'utf8').matchAll(/\bverifies\(([^)]*)\)/g)) {
      for (const id of (call[1] ?? '').matchAll(/'([^']+)'/g)) cited.add(id[1] ?? '');
    }
  }
  const uncited = Object.keys(requirements).filter((id) => !cited.has(id));
  assert.deepEqual(uncited, [], 'requirements that no test verifies');
});

test('requirements - no id stands in the files of two subjects', () => {
  const ids = Object.values(subjects).flatMap((rows) => Object.keys(rows));
  assert.deepEqual(ids.toSorted(), Object.keys(requirements).toSorted());
});
