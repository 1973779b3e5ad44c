import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `npm run bench` builds toolbus and comes here. The benchmark is built too, because every target is measured as plain JavaScript.
const root = fileURLToPath(new URL('../..', import.meta.url));

if (!existsSync(join(root, 'dist', 'toolbus.js'))) {
  process.stderr.write('toolbus is not built: npm run build\n');
  process.exit(2);
}
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const project = join(root, 'test', 'bench', 'tsconfig.json');
const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.stderr.write('the benchmark does not build cleanly; going on with what was written\n');

const built: { bench(args: readonly string[], root: string): Promise<number> } = await import(
  new URL('../../dist/test/bench/bench.js', import.meta.url).href
);
process.exitCode = await built.bench(process.argv.slice(2), root);
