import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { isTestFile, root, sourceFiles } from './helpers/source-files.ts';

/** One door for each package: the only place of the product that may import it. */
const doors: ReadonlyArray<{ readonly packages: RegExp; readonly door: string }> = [
  { packages: /^@nats-io\//, door: 'shared/bus/' },
  { packages: /^fastify$/, door: 'services/ingress/http/' },
  { packages: /^jose$/, door: 'services/ingress/access/oauth/' },
  { packages: /^opossum$/, door: 'services/worker/breaker.ts' },
  { packages: /^(@modelcontextprotocol\/client|undici)$/, door: 'services/worker/upstreams/' },
  { packages: /^(zod|yaml)$/, door: 'shared/config/' },
  { packages: /^(commander|jsonc-parser)$/, door: 'services/cli/' },
  { packages: /^re2js$/, door: 'shared/re2.ts' },
  { packages: /^ajv$/, door: 'services/ingress/validation/' },
];

/** What each area may import of the project, besides itself. The first row whose area holds the file counts. */
const mayImport: ReadonlyArray<{ readonly area: string; readonly areas: readonly string[] }> = [
  // Of a worker it only starts one: a part that both need is in shared/.
  {
    area: 'services/cli/',
    areas: ['services/ingress/', 'services/worker/main.ts', 'services/audit/', 'services/nats-server/', 'shared/'],
  },
  { area: 'services/', areas: ['shared/'] },
  { area: 'shared/errors.ts', areas: [] },
  { area: 'shared/re2.ts', areas: [] },
  { area: 'shared/glob.ts', areas: [] },
  { area: 'shared/lateness.ts', areas: [] },
  { area: 'shared/mcp/', areas: ['shared/errors.ts'] },
  {
    area: 'shared/bus/',
    areas: ['shared/mcp/', 'shared/errors.ts', 'shared/cancellation.ts', 'shared/lateness.ts', 'shared/short-lived.ts'],
  },
  { area: 'shared/audit/', areas: ['shared/mcp/', 'shared/errors.ts', 'shared/glob.ts'] },
  { area: 'shared/config/', areas: ['shared/mcp/', 'shared/errors.ts', 'shared/re2.ts'] },
  { area: 'shared/', areas: ['shared/'] },
];

interface Import {
  readonly file: string;
  /** A path from the root of the checkout, or a bare specifier. */
  readonly target: string;
  readonly isOurs: boolean;
}

/** Finds `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
export function importsOf(file: string, source: string): Import[] {
  const pattern = /(?:^|[;\s])(?:import|export)\s[^'"();]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;
  return Array.from(source.matchAll(pattern), (match) => {
    const specifier = match[1] ?? match[2] ?? '';
    const isOurs = specifier.startsWith('.');
    return { file, target: isOurs ? posix.join(posix.dirname(file), specifier) : specifier, isOurs };
  });
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** `services/worker/x.ts` → `services/worker/`, `shared/errors.ts` → `shared/errors.ts`. */
const areaOf = (file: string): string => {
  const [top, second = '', ...rest] = file.split('/');
  return rest.length === 0 ? `${top}/${second}` : `${top}/${second}/`;
};

const product = ['services', 'shared'].flatMap(sourceFiles).filter((file) => !isTestFile(file));
const imports = product.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')));

test('architecture - finds the imports it judges', () => {
  const source = `import { a,\n b } from './a.ts';\nimport type { C } from "fastify";\nexport * from '../b.ts';\nawait import('x');\nimport 'tsx';`;
  assert.deepEqual(
    importsOf('services/worker/main.ts', source).map(({ target }) => target),
    ['services/worker/a.ts', 'fastify', 'services/b.ts', 'x', 'tsx'],
  );
  assert.ok(imports.length > 50, 'there are imports to judge');
});

test('architecture - each third-party package has one door', () => {
  const offenders = imports.flatMap(({ file, target, isOurs }) => {
    const rule = isOurs ? undefined : doors.find(({ packages }) => packages.test(packageOf(target)));
    return rule && !file.startsWith(rule.door) ? [`${file} imports ${target}; only ${rule.door} may`] : [];
  });
  assert.deepEqual(offenders, []);
});

test('architecture - imports point from cli to services to shared, never back or sideways', () => {
  const offenders = imports.flatMap(({ file, target, isOurs }) => {
    if (!isOurs || areaOf(target) === areaOf(file)) return [];
    const rule = mayImport.find(({ area }) => file.startsWith(area));
    const allowed = rule?.areas.some((area) => target.startsWith(area)) ?? false;
    return allowed ? [] : [`${file} imports ${target}`];
  });
  assert.deepEqual(offenders, []);
});

test('architecture - the product imports what package.json installs for users', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object | undefined>;
  const installed = new Set(
    ['dependencies', 'optionalDependencies'].flatMap((member) => Object.keys(manifest[member] ?? {})),
  );
  const offenders = imports.flatMap(({ file, target, isOurs }) =>
    isOurs || isBuiltin(target) || installed.has(packageOf(target)) ? [] : [`${file} imports ${target}`],
  );
  assert.deepEqual(offenders, []);
});
