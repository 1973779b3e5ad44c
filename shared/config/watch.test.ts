import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadedConfig, loadConfig } from './load.ts';
import { watchConfig } from './watch.ts';

const serverText = (...names: string[]): string =>
  `servers:\n${names.map((name) => `  ${name}: { command: x }\n`).join('')}`;

describe('watchConfig', () => {
  let cwd: string;
  let changes: LoadedConfig[];
  let errors: string[];
  let closers: { close(): Promise<void> }[];

  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'toolbus-watch-'));
    changes = [];
    errors = [];
    closers = [];
  });
  afterEach(async () => {
    for (const closer of closers) await closer.close();
    await rm(cwd, { recursive: true, force: true });
  });

  async function start(name: string, onChange?: (next: LoadedConfig) => void): Promise<void> {
    const load = (file: string): Promise<LoadedConfig> => loadConfig({ file, env: {}, cwd, forUp: false });
    closers.push(
      watchConfig({
        loaded: await load(name),
        reload: load,
        onChange: (next) => {
          onChange?.(next);
          changes.push(next);
        },
        onInvalid: (error) => errors.push(error instanceof Error ? error.message : String(error)),
        debounceMs: 20,
        pollMs: 200,
      }),
    );
  }

  async function until(what: string, met: () => boolean): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!met()) {
      assert.ok(Date.now() < deadline, `never: ${what}`);
      await sleep(10);
    }
  }

  const serversNow = (): string[] => Object.keys(changes.at(-1)?.config.servers ?? {});

  test('a file written in place or renamed over - is applied', async () => {
    const file = join(cwd, 'toolbus.yaml');
    await writeFile(file, serverText('a'));
    await start('toolbus.yaml');
    await writeFile(file, serverText('a', 'b'));
    await until('written', () => serversNow().length === 2);
    await writeFile(join(cwd, 'new'), serverText('c'));
    await rename(join(cwd, 'new'), file);
    await until('renamed', () => serversNow()[0] === 'c');
    assert.deepEqual(errors, []);
  });

  test('a broken, emptied or deleted file - is refused once each, and the next good one applies', async () => {
    const file = join(cwd, 'toolbus.yaml');
    await writeFile(file, serverText('a'));
    await start('toolbus.yaml');
    await writeFile(file, 'servers: { a: {');
    await until('broken', () => errors.some((line) => /toolbus\.yaml:1:\d+: /.test(line)));
    await writeFile(file, '');
    await until('emptied', () => errors.some((line) => line.includes('the file is empty')));
    await unlink(file);
    await until('deleted', () => errors.some((line) => line.includes('it does not exist')));
    assert.deepEqual(changes, []);
    await writeFile(file, serverText('b'));
    await until('mended', () => serversNow()[0] === 'b');
    assert.equal(new Set(errors).size, errors.length);
  });

  test("a ConfigMap's symlinks - are followed", async () => {
    await mkdir(join(cwd, '..1'));
    await mkdir(join(cwd, '..2'));
    await writeFile(join(cwd, '..1/toolbus.yaml'), serverText('a'));
    await writeFile(join(cwd, '..2/toolbus.yaml'), serverText('b'));
    await symlink('..1', join(cwd, '..data'));
    await symlink('..data/toolbus.yaml', join(cwd, 'toolbus.yaml'));
    await start('toolbus.yaml');
    await symlink('..2', join(cwd, '..tmp'));
    await rename(join(cwd, '..tmp'), join(cwd, '..data'));
    await until('swapped', () => serversNow()[0] === 'b');
  });

  test('a secret file that rotates - is applied, and one that appears mends the configuration', async () => {
    const env = (name: string): string => `servers: { a: { command: x, env: { T: '\${file:secrets/${name}}' } } }`;
    await mkdir(join(cwd, 'secrets'));
    await writeFile(join(cwd, 'secrets/one'), 'first');
    await writeFile(join(cwd, 'toolbus.yaml'), env('one'));
    await start('toolbus.yaml');
    await writeFile(join(cwd, 'secrets/one'), 'second');
    await until('rotated', () => changes.at(-1)?.config.servers['a']?.env['T'] === 'second');
    await writeFile(join(cwd, 'toolbus.yaml'), env('two'));
    await until('missing', () => errors.some((line) => line.includes('secrets/two cannot be read')));
    await writeFile(join(cwd, 'secrets/two'), 'third');
    await until('appeared', () => changes.at(-1)?.config.servers['a']?.env['T'] === 'third');
  });

  test('equal content - is no change', async () => {
    const file = join(cwd, 'toolbus.yaml');
    await writeFile(file, serverText('a'));
    await start('toolbus.yaml');
    await writeFile(file, serverText('a'));
    await writeFile(file, serverText('b'));
    await until('changed', () => changes.length > 0);
    assert.deepEqual(serversNow(), ['b']);
    assert.equal(changes.length, 1);
  });

  test('a change that cannot be applied - is reported, and tried again with the next', async () => {
    const file = join(cwd, 'toolbus.yaml');
    await writeFile(file, serverText('a'));
    let failing = true;
    await start('toolbus.yaml', () => {
      if (failing) throw new Error('not now');
    });
    await writeFile(file, serverText('b'));
    await until('reported', () => errors.includes('not now'));
    failing = false;
    await until('applied', () => serversNow()[0] === 'b');
  });

  test('after close - nothing is called', async () => {
    const file = join(cwd, 'toolbus.yaml');
    await writeFile(file, serverText('a'));
    await start('toolbus.yaml');
    await closers[0]?.close();
    await writeFile(file, serverText('b'));
    await sleep(300);
    assert.deepEqual([changes, errors], [[], []]);
  });
});
