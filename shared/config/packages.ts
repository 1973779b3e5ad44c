import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packageName = /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/i;

/** The directory of the package `toolbus`: the checkout, or where it is installed. Works from the sources and from `dist`. */
export function toolbusRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = readManifest(join(directory, 'package.json'));
    if (manifest?.['name'] === 'toolbus') return directory;
    const parent = dirname(directory);
    if (parent === directory) throw new Error('the package toolbus is incomplete: its package.json is missing');
    directory = parent;
  }
}

/**
 * The file of a package's first `bin`, looked up as Node does from `from` (a directory) and then from toolbus itself,
 * so that hoisted and nested installations both work. Undefined when it is not installed or has no program.
 */
export function packageProgram(name: string, from: string): string | undefined {
  if (!packageName.test(name)) return undefined;
  for (const start of [join(from, 'any.js'), fileURLToPath(import.meta.url)]) {
    for (const modules of createRequire(pathToFileURL(start)).resolve.paths(name) ?? []) {
      const directory = join(modules, name);
      const program = firstBin(directory);
      if (program !== undefined) return program;
    }
  }
  return undefined;
}

function firstBin(directory: string): string | undefined {
  // Not `require.resolve`: a package's `exports` may hide its package.json.
  const bin = readManifest(join(directory, 'package.json'))?.['bin'];
  const path: unknown = typeof bin === 'object' && bin !== null ? Object.values(bin)[0] : bin;
  if (typeof path !== 'string') return undefined;
  const program = resolve(directory, path);
  const inside = relative(directory, program);
  if (inside.startsWith('..') || isAbsolute(inside) || !existsSync(program)) return undefined;
  return program;
}

function readManifest(file: string): Record<string, unknown> | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? { ...manifest } : undefined;
  } catch {
    return undefined;
  }
}
