import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = ['scripted-upstream.ts', 'scripted/journal.ts', 'scripted/program.ts'].map((file) =>
  join(root, 'test/fixtures', file),
);

/**
 * The scripted upstream as plain JavaScript, compiled once: a test that starts it hundreds of times would spend most of its time in
 * the TypeScript loader. Returns the path of the file to run.
 */
export async function compileUpstream(): Promise<string> {
  const version = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  const target = join(tmpdir(), `toolbus-scripted-upstream-${process.getuid?.() ?? 0}-${version}`);
  const entry = join(target, 'scripted-upstream.js');
  if (existsSync(entry)) return entry;
  mkdirSync(tmpdir(), { recursive: true });
  const staging = mkdtempSync(`${target}.`);
  const flags = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    '--skipLibCheck',
    '--rewriteRelativeImportExtensions',
  ];
  await run(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      ...flags,
      '--rootDir',
      join(root, 'test/fixtures'),
      '--outDir',
      staging,
      ...sources,
    ],
    { cwd: root },
  );
  writeFileSync(join(staging, 'package.json'), '{"type":"module"}');
  try {
    renameSync(staging, target);
  } catch (error) {
    if (!existsSync(entry)) throw error;
    rmSync(staging, { recursive: true, force: true });
  }
  return entry;
}
