import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTestFile, root, sourceFiles } from './helpers/source-files.ts';
import { requirements } from './requirements.ts';

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
