import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const lockFile = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
/** CommonJS packages inside an ES module still call require. */
const banner = "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);";

/**
 * A fixture and all it imports as one file of plain JavaScript, made anew when a fixture or a package has changed. Returns its path.
 * Tests start servers by the hundred; most of that time would go to the TypeScript loader.
 */
export function compileFixture(name: string): string {
  const folder = join(tmpdir(), `toolbus-test-fixtures-${process.getuid?.() ?? 0}`);
  const compiled = join(folder, `${name}-${digestOfSources()}.mjs`);
  if (existsSync(compiled)) return compiled;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const staging = `${compiled}.${process.pid}`;
  buildSync({
    entryPoints: [join(fixtures, `${name}.ts`)],
    outfile: staging,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    banner: { js: banner },
    logLevel: 'warning',
  });
  // Two test files may compile at the same time.
  renameSync(staging, compiled);
  return compiled;
}

function digestOfSources(): string {
  const digest = createHash('sha256').update(readFileSync(lockFile));
  for (const entry of readdirSync(fixtures, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(fixtures, entry);
    if (statSync(file).isFile()) digest.update(entry).update(readFileSync(file));
  }
  return digest.digest('hex').slice(0, 16);
}
