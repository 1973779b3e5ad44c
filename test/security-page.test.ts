import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './helpers/source-files.ts';

const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
const rows = page.split('\n').flatMap((line) => {
  const [, id, , tests = ''] = /^\| ([EIUL]\d+) \| (.*?) \| (.*) \|$/.exec(line) ?? [];
  return id === undefined ? [] : [{ id, tests }];
});

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${letter}${at + 1}`);

test('docs/security.md - has every row of the attack tables once', () => {
  const expected = [...numbered('E', 19), ...numbered('I', 16), ...numbered('U', 21), ...numbered('L', 7)];
  assert.deepEqual(
    rows.map(({ id }) => id),
    expected,
  );
});

test('docs/security.md - every row names tests that are there, or says why it does not apply', () => {
  const wrong = rows.flatMap(({ id, tests }) => {
    if (tests.startsWith('does not apply: ')) return [];
    const cited = Array.from(tests.matchAll(/`([^`]+\.test\.ts)`: “([^”]+)”/g), ([, file = '', name = '']) => ({
      file,
      name,
    }));
    if (cited.length === 0 || cited.length !== tests.split('; `').length) return [`${id}: ${tests}`];
    return cited
      .filter(
        ({ file, name }) => !existsSync(join(root, file)) || !readFileSync(join(root, file), 'utf8').includes(name),
      )
      .map(({ file, name }) => `${id}: ${file}: ${name}`);
  });
  assert.deepEqual(wrong, []);
});
