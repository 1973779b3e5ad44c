import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// npm run bench: builds toolbus and the benchmark, because every target is measured as plain JavaScript, and runs the built benchmark.
const root = fileURLToPath(new URL('../..', import.meta.url));

function build(project: string): void {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, project)], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.stderr.write(`${project} does not build cleanly; going on with what was written\n`);
}

build('tsconfig.build.json');
build('test/bench/tsconfig.json');
const built: { bench(args: readonly string[], root: string): Promise<number> } = await import(
  new URL('../../dist/test/bench/bench.js', import.meta.url).href
);
process.exitCode = await built.bench(process.argv.slice(2), root);
