import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { processMark } from '../../shared/process/process-identity.ts';
import { acquireLock } from './lock.ts';

const dir = mkdtempSync(join(tmpdir(), 'toolbus-lock-'));
after(() => rmSync(dir, { recursive: true }));
const host = hostname();

function lockFile(name: string, holder?: unknown): string {
  const path = join(dir, name);
  if (holder !== undefined) writeFileSync(path, typeof holder === 'string' ? holder : JSON.stringify(holder));
  return path;
}

test('lock - is refused while its holder lives, naming the process and --data-dir', async () => {
  const path = lockFile('held');
  const lock = await acquireLock(path);
  await assert.rejects(acquireLock(path), (error) => {
    assert.ok(error instanceof Error && 'hint' in error && 'code' in error);
    assert.match(error.message, new RegExp(`in use by process ${process.pid} `));
    assert.match(String(error.hint), /--data-dir/);
    assert.equal(error.code, 2);
    return true;
  });
  lock.release();
  assert.ok(!existsSync(path));
  (await acquireLock(path)).release();
});

test('lock - of a dead process is taken over', async () => {
  const child = spawn('true');
  const { pid = 0 } = child;
  await once(child, 'exit');
  const path = lockFile('dead', { pid, mark: 'x:1', host });
  (await acquireLock(path)).release();
  assert.deepEqual(readdirSync(dir), []);
});

test('lock - of an earlier process with the same number is taken over', async () => {
  (await acquireLock(lockFile('reused', { pid: process.ppid, mark: 'earlier:1', host }))).release();
  const path = lockFile('same', { pid: process.ppid, mark: processMark(process.ppid), host });
  await assert.rejects(acquireLock(path), /in use by process/);
  rmSync(path);
});

test('lock - of another host counts while it is touched', async () => {
  const path = lockFile('foreign', { pid: 1, mark: 'x', host: `${host}-other` });
  await assert.rejects(acquireLock(path), /in use by process 1 on .*-other/);
  const past = new Date(Date.now() - 60_000);
  utimesSync(path, past, past);
  (await acquireLock(path)).release();
});

test('lock - a file that was never finished is taken over', async () => {
  for (const text of ['', '{"pid":', 'null', '[]', '{"pid":"1"}']) {
    const path = lockFile('torn', text);
    (await acquireLock(path)).release();
  }
});

test('lock - of many processes that want a stale one, exactly one gets it', async () => {
  const path = lockFile('contested', { pid: 4_000_000, mark: 'gone:1', host });
  const module = JSON.stringify(new URL('./lock.ts', import.meta.url).href);
  // All are loaded before any begins; the winner keeps the lock until all have tried.
  const script = `const { acquireLock } = await import(${module}); console.log('ready');
    process.stdin.once('data', () => acquireLock(${JSON.stringify(path)}).then(() => console.log('won'), () => console.log('lost')));`;
  const contenders = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  try {
    const lines = contenders.map(({ stdout }) => createInterface({ input: stdout })[Symbol.asyncIterator]());
    await Promise.all(lines.map((line) => line.next()));
    for (const { stdin } of contenders) stdin.write('go');
    const outcomes = await Promise.all(lines.map(async (line) => String((await line.next()).value)));
    assert.deepEqual(outcomes.sort(), ['lost', 'lost', 'lost', 'won']);
  } finally {
    for (const contender of contenders) contender.kill('SIGKILL');
  }
  await Promise.all(
    contenders.map(async (contender) => contender.exitCode ?? contender.signalCode ?? once(contender, 'exit')),
  );
  (await acquireLock(path)).release();
});

test('lock - a gate left by a crash is passed when it is old', async () => {
  const path = lockFile('gated');
  writeFileSync(`${path}.gate`, '');
  const past = new Date(Date.now() - 60_000);
  utimesSync(`${path}.gate`, past, past);
  (await acquireLock(path)).release();
  assert.deepEqual(readdirSync(dir), []);
});

test("lock - release leaves another's lock alone", async () => {
  const path = lockFile('stolen');
  const lock = await acquireLock(path);
  writeFileSync(path, 'another');
  lock.release();
  assert.equal(readFileSync(path, 'utf8'), 'another');
  rmSync(path);
});
