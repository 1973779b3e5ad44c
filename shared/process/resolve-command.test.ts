import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OperatorError } from '../errors.ts';
import { resolveCommand } from './resolve-command.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-resolve-'));
after(() => rmSync(dir, { recursive: true }));
mkdirSync(join(dir, 'bin/folder'), { recursive: true });
writeFileSync(join(dir, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
writeFileSync(join(dir, 'bin/data'), 'x', { mode: 0o644 });
const env = { PATH: `/nowhere:${join(dir, 'bin')}` };

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OperatorError) return `${error.code} ${error.message} | ${error.hint}`;
  }
  return 'no OperatorError';
}

test("command - is looked up on the child's PATH, not ours", () => {
  assert.equal(resolveCommand({ command: 'tool', env }), join(dir, 'bin/tool'));
  assert.match(
    message(() => resolveCommand({ command: 'node', env })),
    /^4 command not found: node \| looked on PATH: /,
  );
});

test('command - a relative path starts at the working directory of the child', () => {
  assert.equal(resolveCommand({ command: './bin/tool', env, cwd: dir }), join(dir, 'bin/tool'));
  assert.match(
    message(() => resolveCommand({ command: './bin/tool', env, cwd: '/' })),
    /command not found/,
  );
});

test('command - a file that may not be executed is named', () => {
  assert.match(
    message(() => resolveCommand({ command: 'data', env })),
    /bin\/data is not executable \| chmod \+x /,
  );
});

test('command - a folder of that name is passed over', () => {
  assert.match(
    message(() => resolveCommand({ command: 'folder', env })),
    /command not found: folder/,
  );
});

test('command - a missing working directory is named', () => {
  assert.match(
    message(() => resolveCommand({ command: 'tool', env, cwd: '/nowhere' })),
    /\/nowhere does not exist/,
  );
});
