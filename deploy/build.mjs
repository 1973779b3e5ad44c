// Bundles the command into dist/. Loading some hundred small files took two thirds of the start of `up`; a bundle takes one.
// Type checking is `npm run check`; this only strips types.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');

for (const name of existsSync(dist) ? readdirSync(dist) : []) {
  if (name !== 'test') rmSync(path.join(dist, name), { recursive: true });
}
mkdirSync(dist, { recursive: true });

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    toolbus: 'services/cli/main.ts',
    'supervised-worker': 'services/cli/supervise/supervised-worker.ts',
    'validation-thread': 'services/ingress/validation/validation-thread.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  // Its CommonJS build finds its own files by a require that no bundler sees.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  // CommonJS packages inside an ES module still call require.
  banner: { js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);" },
});

writeFileSync(path.join(dist, 'THIRD_PARTY_LICENSES'), licensesOf(packagesIn(metafile)));

/** Folders of the packages whose code is in the bundle. */
function packagesIn({ inputs }) {
  const folders = new Set();
  for (const file of Object.keys(inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
    if (match) folders.add(match[1]);
  }
  return [...folders].sort();
}

/** Their licence texts, which must go wherever their code goes. */
function licensesOf(folders) {
  const sections = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(path.join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : readFileSync(path.join(root, folder, file), 'utf8').trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return sections.join(`\n${'-'.repeat(80)}\n\n`);
}
