import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { configurationPage, configurationRows, notYetEnforced } from '../docs/generate-configuration.ts';
import { reasons } from '../shared/errors.ts';
import { root } from './helpers/source-files.ts';

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const manifest: Manifest = JSON.parse(read('package.json'));

const below = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`);
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...below('docs'), ...below('deploy')];

/** As GitHub makes it out of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

function anchorsOf(file: string): Set<string> {
  return new Set(Array.from(read(file).matchAll(/^#+ (.+)$/gm), ([, heading = '']) => anchorOf(heading)));
}

/** The text without fenced code, where brackets mean other things. */
const prose = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '');

test('docs - every relative link leads somewhere, its anchor too', () => {
  const broken = pages.flatMap((page) =>
    Array.from(prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .flatMap((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : relative(root, join(root, dirname(page), path));
        if (!existsSync(join(root, file))) return [`${page}: ${target}`];
        return anchor === undefined || anchorsOf(file).has(anchor) ? [] : [`${page}: ${target} (no such heading)`];
      }),
  );
  assert.deepEqual(broken, []);
});

test('docs - every path in backticks is there', () => {
  const looksLikePath = /^(?:services|shared|test|deploy|docs|bin|\.ci)\/[\w.@/-]*$/;
  const missing = pages.flatMap((page) =>
    Array.from(read(page).matchAll(/`([^`\n]+)`/g), ([, text = '']) => text)
      .filter((text) => looksLikePath.test(text) && !existsSync(join(root, text)))
      .map((text) => `${page}: ${text}`),
  );
  assert.deepEqual(missing, []);
});

test('docs - every npm script that is named exists', () => {
  const known = new Set(Object.keys(manifest.scripts));
  const missing = pages.flatMap((page) =>
    Array.from(read(page).matchAll(/\bnpm run (?:--\S+ )*([a-z][\w:-]*)/g), ([, script = '']) => script)
      .filter((script) => !known.has(script))
      .map((script) => `${page}: npm run ${script}`),
  );
  assert.deepEqual(missing, []);
});

test('docs/configuration.md - is what the schema generates (node --import tsx docs/generate-configuration.ts)', () => {
  assert.equal(read('docs/configuration.md'), configurationPage());
});

test('docs/configuration.md - what is not enforced yet are keys that exist', () => {
  const keys = new Set(configurationRows().map(({ key }) => key));
  assert.deepEqual(
    notYetEnforced.filter((key) => !keys.has(key)),
    [],
  );
});

test('docs/errors.md - has every reason with its code, status and promise', () => {
  const text = read('docs/errors.md');
  for (const [reason, { code, status }] of Object.entries(reasons)) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${reason}\``));
    assert.ok(row?.includes(`−${-code}`), `${reason} with −${-code}`);
    assert.ok(row?.includes(String(status)), `${reason} with HTTP ${status}`);
  }
});

test('README.md - its table of dependencies is package.json', () => {
  const text = read('README.md');
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  const missing = Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
    ([name, version]) => !text.split('\n').some((line) => line.includes(`\`${name}\``) && line.includes(version)),
  );
  assert.deepEqual(missing, []);
});
