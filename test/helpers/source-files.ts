import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout, with a separator at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every TypeScript file below a folder of the checkout, as paths from its root with `/`. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))
    .sort();
}

/** Tests and what only tests use. */
export function isTestFile(file: string): boolean {
  return file.startsWith('test/') || /\.(test|fixture)\.tsx?$|\/testing\//.test(file);
}
