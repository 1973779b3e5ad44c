import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';
import { fixtureCommand } from '../helpers/fixture.ts';
import { stdioAgents } from '../helpers/stdio.ts';
import { startToolbus, type Toolbus } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'toolbus-mcpb-'));
const bundle = join(dir, 'toolbus.mcpb');
const unpacked = join(dir, 'unpacked');
let files: Map<string, Buffer>;
let toolbus: Toolbus;

before(async () => {
  execFileSync(process.execPath, [join(root, 'deploy/mcpb/build.mjs'), bundle], { cwd: dir, stdio: 'pipe' });
  files = unzip(readFileSync(bundle));
  for (const [name, content] of files) {
    mkdirSync(join(unpacked, dirname(name)), { recursive: true });
    writeFileSync(join(unpacked, name), content);
  }
  toolbus = await startToolbus({ config: { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } } });
});

after(async () => {
  await toolbus?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Reads an archive by its central directory, as hosts do. */
function unzip(archive: Buffer): Map<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  assert.equal(end, archive.length - 22, 'the archive ends with its directory');
  const found = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let n = 0; n < archive.readUInt16LE(end + 10); n += 1) {
    assert.equal(archive.readUInt32LE(at), 0x02014b50);
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const local = archive.readUInt32LE(at + 42);
    assert.equal(archive.readUInt32LE(local), 0x04034b50);
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const content = inflateRawSync(archive.subarray(start, start + archive.readUInt32LE(at + 20)));
    assert.equal(content.length, archive.readUInt32LE(at + 24));
    found.set(name, content);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return found;
}

interface Manifest {
  readonly manifest_version: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly author: { readonly name: string };
  readonly server: {
    readonly type: string;
    readonly entry_point: string;
    readonly mcp_config: {
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };
  };
  readonly user_config: Readonly<
    Record<
      string,
      { readonly type: string; readonly title: string; readonly description: string; readonly sensitive?: boolean }
    >
  >;
}

test('mcpb - the archive has what its manifest names, and any unzip reads it', () => {
  verifies('stdio:mcpb');
  const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? '') as Manifest;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.deepEqual([manifest.manifest_version, manifest.name, manifest.version], ['0.3', 'toolbus', version]);
  assert.ok(manifest.description !== '' && manifest.author.name !== '');
  assert.equal(manifest.server.type, 'node');
  assert.ok(files.has(manifest.server.entry_point));
  assert.ok(manifest.server.mcp_config.args.some((arg) => arg.endsWith(manifest.server.entry_point)));
  const settings = manifest.user_config;
  for (const value of Object.values(manifest.server.mcp_config.env)) {
    const name = /^\$\{user_config\.(\w+)\}$/.exec(value)?.[1] ?? '';
    assert.ok(settings[name], `${value} is asked for`);
    assert.ok(settings[name].title && settings[name].description);
  }
  assert.equal(settings['api_key']?.sensitive, true);
  assert.doesNotThrow(() => execFileSync('unzip', ['-tq', bundle], { stdio: 'pipe' }));
});

test('mcpb - its program runs outside the checkout with nothing but Node', async () => {
  verifies('stdio:mcpb');
  const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? '') as Manifest;
  const program = manifest.server.mcp_config.args.map((arg) => arg.replace('${__dirname}', unpacked));
  for (const { open } of stdioAgents) {
    const env = { TOOLBUS_URL: toolbus.ready.mcp };
    await using agent = await open({ url: toolbus.ready.mcp, key: toolbus.ready.key, program, env });
    assert.match((await agent.call('scripted__run', { id: 'bundled' })).text, /^bundled by/);
  }
});
