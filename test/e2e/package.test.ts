import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../helpers/processes.ts';
import { verifies } from '../requirements.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly engines?: object; readonly resolved?: string }>>;
}

test('package - the lock file installs nats-server on every Node and from any registry', () => {
  verifies('package:lock');
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile;
  // npm skips an optional package whose engines do not fit, and this one asks for Node 22 although nothing in it needs Node at all.
  assert.deepEqual(
    Object.keys(lock.packages)
      .filter((name) => name.includes('nats-server-linux-x64'))
      .map((name) => lock.packages[name]?.engines),
    [undefined],
  );
  assert.deepEqual(
    Object.keys(lock.packages).filter((name) => lock.packages[name]?.resolved?.startsWith('http')),
    [],
  );
});

test('package - a packed tarball installs and runs outside the checkout', async () => {
  verifies('package:tarball');
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-package-'));
  try {
    const npm = (args: readonly string[]) =>
      execFileSync('npm', args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const packed = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir], {
      cwd: root,
      encoding: 'utf8',
    });
    writeFileSync(join(dir, 'package.json'), '{"private":true}');
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund', join(dir, packed.trim())]);
    const started = await startProcess({
      command: process.execPath,
      args: [join(dir, 'node_modules', '.bin', 'toolbus'), 'up', '--json', '--port', '0', '--admin-port', '0'],
      cwd: dir,
      ready: (line) => (line.startsWith('{') ? (JSON.parse(line) as { servers: { status: string }[] }) : undefined),
    });
    const states = started.ready.servers.map(({ status }) => status);
    assert.deepEqual(states, ['ready', 'ready', 'ready', 'ready']);
    started.signal('SIGINT');
    assert.deepEqual(await started.exited, { code: 0, signal: null });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
