import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../errors.ts';
import { childEnv } from './child-env.ts';
import { type GuardedChild, spawnGuarded } from './guarded-child.ts';
import { commandLine, processMark } from './process-identity.ts';

const posix = { skip: process.platform === 'win32' };
const dir = realpathSync(mkdtempSync(join(tmpdir(), 'toolbus-guard-')));
after(() => rmSync(dir, { recursive: true }));
const fixture = fileURLToPath(new URL('./owner.fixture.ts', import.meta.url));

/** Deaf to SIGTERM and to the end of stdin, with a child of the same kind. */
const stubborn = `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo "grandchild $!"; while :; do sleep 1; done`;
const printArgs = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
const printEnv = 'process.stdout.write(JSON.stringify(process.env))';

function start(command: string, ...args: string[]): GuardedChild {
  return spawnGuarded({ command, args, env: childEnv({}) });
}

async function readNumber(stream: Readable, label: string): Promise<number> {
  for await (const line of createInterface({ input: stream })) {
    if (line.startsWith(`${label} `)) return Number(line.slice(label.length + 1));
  }
  throw new Error(`no line "${label}"`);
}

async function isGone(pid: number, withinMs = 2000): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (processMark(pid) !== undefined) {
    if (performance.now() > until) return false;
    await sleep(10);
  }
  return true;
}

/** The members of a process group, zombies too, as `ps` shows them. */
async function groupMembers(group: number): Promise<string[]> {
  const ps = spawn('ps', ['-eo', 'pgid=,stat=,args='], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = (await text(ps.stdout)).split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith(`${group} `));
}

async function withOwner(script: string, use: (owner: ChildProcess, pids: number[]) => Promise<void>): Promise<void> {
  const owner = spawn(process.execPath, ['--import', 'tsx', fixture, 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: owner.stdout })[Symbol.asyncIterator]();
  const pids: number[] = [];
  try {
    for (const label of ['child ', 'grandchild ']) {
      const line = String((await lines.next()).value);
      assert.ok(line.startsWith(label), line);
      pids.push(Number(line.slice(label.length)));
    }
    await use(owner, pids);
  } finally {
    owner.kill('SIGKILL');
    for (const pid of pids) if (processMark(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }
}

test('guard - SIGKILL of the owner ends a child that ignores SIGTERM and EOF, and its child', posix, async () => {
  await withOwner(stubborn, async (owner, [child = 0, grandchild = 0]) => {
    assert.equal(commandLine(child)?.at(-1), stubborn);
    owner.kill('SIGKILL');
    assert.ok(await isGone(child), 'the child lives on');
    assert.ok(await isGone(grandchild), 'the grandchild lives on');
  });
});

test('guard - a SIGTERM to the whole group does not disarm it, nor does a SIGSTOP', posix, async () => {
  await withOwner(stubborn, async (owner, [child = 0, grandchild = 0]) => {
    process.kill(-child, 'SIGTERM');
    process.kill(-child, 'SIGHUP');
    process.kill(-child, 'SIGINT');
    process.kill(-child, 'SIGSTOP');
    await sleep(50);
    owner.kill('SIGKILL');
    assert.ok(await isGone(child));
    assert.ok(await isGone(grandchild));
  });
});

test('guard - an owner that just exits takes the group along', posix, async () => {
  await withOwner(stubborn, async (owner, [child = 0, grandchild = 0]) => {
    owner.kill('SIGTERM');
    assert.ok(await isGone(child));
    assert.ok(await isGone(grandchild));
  });
});

test('guard - a child that ends by itself takes its grandchildren along', posix, async () => {
  const child = start('sh', '-c', 'sleep 1000 & echo "grandchild $!"; read -r _; exit 3');
  const grandchild = await readNumber(child.stdout, 'grandchild');
  child.stdin.write('go\n');
  assert.deepEqual(await child.exited, { code: 3, signal: null });
  assert.ok(await isGone(grandchild));
});

test('guard - a child whose guard was killed does not go on', posix, async () => {
  const child = start('sh', '-c', stubborn);
  const grandchild = await readNumber(child.stdout, 'grandchild');
  const [guard, ...others] = await findGuards();
  assert.ok(guard !== undefined && others.length === 0);
  process.kill(guard, 'SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.ok(await isGone(grandchild));
});

/** The guards that are children of this process. */
async function findGuards(): Promise<number[]> {
  const ps = spawn('ps', ['-eo', 'pid=,ppid=,args='], { stdio: ['ignore', 'pipe', 'inherit'] });
  const rows = (await text(ps.stdout)).split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, parent, ...args]) => Number(parent) === process.pid && args.includes('toolbus-guard'))
    .map(([pid]) => Number(pid));
}

test('child - the reported process is the program itself', posix, async () => {
  const child = start(process.execPath, '-e', 'console.log("pid", process.pid); setInterval(() => {}, 1000)');
  assert.equal(await readNumber(child.stdout, 'pid'), child.pid);
  await child.stop({ graceMs: 1000 });
});

test('child - sees EOF on stdin, and its own end is seen as EOF', async () => {
  const child = start('cat');
  child.stdin.end('hello');
  assert.equal(await text(child.stdout), 'hello');
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test('child - inherits no descriptor but its stdio', { skip: process.platform !== 'linux' }, async () => {
  const plain = await text(spawn('ls', ['/proc/self/fd'], { stdio: ['pipe', 'pipe', 'pipe'] }).stdout);
  assert.equal(await text(start('ls', '/proc/self/fd').stdout), plain);
  const open = start('sh', '-c', 'readlink /proc/$$/fd/3 || echo none');
  assert.equal(await text(open.stdout), 'none\n');
});

test('child - arguments arrive as they are', async () => {
  const args = ['a b', `'"\`$(id)`, '$HOME', '-n', '', 'line\nbreak', '; rm -rf /', '*', '\\', 'ü\u2028', '--', 'A=B'];
  const child = start(process.execPath, '-e', printArgs, '--', ...args);
  assert.deepEqual(JSON.parse(await text(child.stdout)), args);
});

const variables = {
  PATH: process.env['PATH'] ?? '',
  'a.b': 'dot',
  'npm_config_@x:registry': 'odd name',
  '-u': 'looks like an option',
  PWD: '/elsewhere',
  OPTIND: 'not a number',
  UID: '7',
  IFS: 'x',
  SHLVL: '9',
  TOKEN: '$(id) "\'\n',
  EMPTY: '',
};

test('child - gets exactly the environment it was given', async () => {
  const child = spawnGuarded({
    command: process.execPath,
    args: ['-e', printEnv],
    env: { ...variables, GONE: undefined },
  });
  assert.deepEqual(JSON.parse(await text(child.stdout)), variables);
  const bare = spawnGuarded({ command: process.execPath, args: ['-e', printEnv], env: {} });
  assert.deepEqual(JSON.parse(await text(bare.stdout)), {});
});

test('child - no configured value stays in a process list', posix, async () => {
  const child = spawnGuarded({
    command: 'sh',
    args: ['-c', 'echo "up 1"; read -r _', 'argument-canary'],
    env: { PATH: variables.PATH, 'odd.name': 'odd-canary', PLAIN: 'plain-canary' },
  });
  await readNumber(child.stdout, 'up');
  const list = await text(spawn('ps', ['-eo', 'args='], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
  assert.equal(list.split('argument-canary').length - 1, 1, 'only the child itself shows its arguments');
  assert.ok(!/odd-canary|plain-canary/.test(list));
  await child.stop({ graceMs: 1000 });
});

test('child - runs in the directory it was given', async () => {
  const child = spawnGuarded({ command: process.execPath, args: ['-p', 'process.cwd()'], env: childEnv({}), cwd: dir });
  assert.equal((await text(child.stdout)).trim(), dir);
});

test('child - a program with spaces, quotes and = in its path starts', posix, async () => {
  const folder = join(dir, `it's a=b "folder"`);
  mkdirSync(folder);
  copyFileSync('/bin/cat', join(folder, 'cat'));
  const child = start(join(folder, 'cat'));
  child.stdin.end('x');
  assert.equal(await text(child.stdout), 'x');
});

test('child - an unknown command is an operator error at once', () => {
  assert.throws(() => start('no-such-command-here'), {
    name: 'OperatorError',
    message: /command not found: no-such-command-here/,
  });
});

test('child - an argument that no system takes is refused without being quoted', () => {
  assert.throws(
    () => start('cat', 'canary\0'),
    (error) =>
      error instanceof OperatorError && !`${error.message}${error.stack}${String(error.cause)}`.includes('canary'),
  );
});

test('child - a script whose interpreter is missing exits 126 or 127 and says so', posix, async () => {
  writeFileSync(join(dir, 'broken'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const child = start(join(dir, 'broken'));
  assert.match(await text(child.stderr), /broken/);
  const { code } = await child.exited;
  assert.ok(code === 126 || code === 127);
});

test('child - its death during a 5 MB write leaves us alive', async () => {
  const child = start('sleep', '1000');
  child.stdin.write(Buffer.alloc(5_000_000));
  child.stdin.write('more');
  await sleep(20);
  child.kill('SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  child.stdin.write('after its end');
  await sleep(50);
});

test('stop - a child that ends with its stdin is not signalled', async () => {
  const child = start('cat');
  await child.stop({ graceMs: 60_000 });
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test('stop - SIGTERM comes next', posix, async () => {
  const child = start('sh', '-c', 'trap "exit 5" TERM; echo "up 1"; while :; do sleep 0.05; done');
  await readNumber(child.stdout, 'up');
  await child.stop({ graceMs: 60_000, eof: false });
  assert.deepEqual(await child.exited, { code: 5, signal: null });
});

test('stop - SIGKILL comes last, and nothing of the group is left', posix, async () => {
  const child = start('sh', '-c', stubborn);
  const grandchild = await readNumber(child.stdout, 'grandchild');
  await child.stop({ graceMs: 100 });
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.ok(await isGone(grandchild));
  assert.ok(await isGone(child.pid));
});

test('stop - ends a child that is suspended', posix, async () => {
  const child = start('cat');
  child.kill('SIGSTOP');
  await child.stop({ graceMs: 100 });
  assert.equal((await child.exited).signal, 'SIGKILL');
});

test('stop - is not held up by a process that left the group with our pipes', posix, async () => {
  const child = start(
    process.execPath,
    '-e',
    'const c = require("child_process").spawn("sleep", ["30"], { detached: true, stdio: "inherit" }); console.log("escaped", c.pid); setInterval(() => {}, 1000)',
  );
  const escaped = await readNumber(child.stdout, 'escaped');
  await child.stop({ graceMs: 200 });
  assert.ok(child.stderr.destroyed);
  process.kill(escaped, 'SIGKILL');
});

test('stop - may be called twice and after the end', async () => {
  const child = start('cat');
  await Promise.all([child.stop({ graceMs: 1000 }), child.stop({ graceMs: 1000 })]);
  await child.stop({ graceMs: 1000 });
  child.kill('SIGKILL');
});

test('guard - many children started and ended leave no process behind', posix, async () => {
  const children = Array.from({ length: 20 }, () => start('cat'));
  await Promise.all(children.map((child) => child.stop({ graceMs: 5000 })));
  for (const child of children) assert.deepEqual(await groupMembers(child.pid), []);
  assert.deepEqual(await findGuards(), []);
});

test('process mark - changes with the process and is undefined without one', async () => {
  assert.equal(processMark(process.pid), processMark(process.pid));
  assert.notEqual(processMark(process.pid), processMark(process.ppid));
  assert.equal(processMark(-1), undefined);
  const child = spawn('true');
  const { pid = 0 } = child;
  await once(child, 'exit');
  assert.equal(processMark(pid), undefined);
});
