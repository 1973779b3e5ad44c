// Packs `toolbus stdio` as a desktop extension: `npm run mcpb [FILE]`, default ./toolbus.mcpb.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { zip } from './zip.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = path.resolve(process.argv[2] ?? 'toolbus.mcpb');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['deploy/mcpb/server.ts'],
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  write: false,
  logLevel: 'warning',
});
const manifest = JSON.parse(readFileSync(path.join(root, 'deploy/mcpb/manifest.json'), 'utf8'));
const archive = zip({
  'manifest.json': `${JSON.stringify({ ...manifest, version }, undefined, 2)}\n`,
  'server/index.mjs': outputFiles[0].contents,
  LICENSE: readFileSync(path.join(root, 'LICENSE')),
});
writeFileSync(target, archive);
process.stdout.write(`${target}  ${Math.ceil(archive.length / 1024)} KiB\n`);
