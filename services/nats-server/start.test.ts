import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { childEnv } from '../../shared/process/child-env.ts';
import { commandLine, processMark } from '../../shared/process/process-identity.ts';
import { planLoopbackCluster } from './cluster.ts';
import { locateNatsServer } from './locate.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from './start.ts';

const root = mkdtempSync(join(tmpdir(), 'toolbus nats-'));
after(() => rmSync(root, { recursive: true }));
const fixture = fileURLToPath(new URL('./owner.fixture.ts', import.meta.url));
const log = pino({ level: 'silent' });

interface Access {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
}

function client({ url, user, password }: Omit<Access, 'pid'>): Promise<NatsConnection> {
  return connect({ servers: url, user, pass: password, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
}

async function withServer(
  options: Omit<NatsServerOptions, 'log'>,
  use: (server: NatsServer) => Promise<void>,
): Promise<void> {
  const server = await startNatsServer({ ...options, log });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

async function withClient(access: Omit<Access, 'pid'>, use: (nc: NatsConnection) => Promise<void>): Promise<void> {
  const nc = await client(access);
  try {
    await use(nc);
  } finally {
    await nc.close();
  }
}

async function isGone(pid: number, withinMs = 2000): Promise<boolean> {
  return eventually(() => processMark(pid) === undefined, withinMs);
}

async function eventually(check: () => boolean, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > until) return false;
    await sleep(5);
  }
  return true;
}

/** Another process that owns a server, and the way to end it as a crash would. */
async function startOwner(dataDir: string): Promise<Access & { crash(): Promise<void> }> {
  const owner = spawn(process.execPath, ['--import', 'tsx', fixture, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await createInterface({ input: owner.stdout })[Symbol.asyncIterator]().next();
  const access: Access = JSON.parse(String(line.value));
  return {
    ...access,
    async crash() {
      const exit = once(owner, 'exit');
      owner.kill('SIGKILL');
      await exit;
    },
  };
}

test('nats-server - starts on loopback, takes its password, has JetStream, and close leaves nothing but the streams', async () => {
  const dataDir = join(root, 'start');
  let pid = 0;
  await withServer({ dataDir }, async (server) => {
    pid = server.pid;
    assert.match(server.url, /^nats:\/\/127\.0\.0\.1:\d+$/);
    assert.match(server.version, /^2\.\d+\.\d+/);
    assert.equal(server.restarts, 0);
    assert.ok(server.password.length >= 43);
    await withClient(server, async (nc) => {
      assert.equal(nc.info?.max_payload, 8 * 1024 * 1024);
      const manager = await jetstreamManager(nc);
      await manager.streams.add({ name: 'S', subjects: ['s'] });
      assert.equal((await jetstream(nc).publish('s', 'x')).seq, 1);
    });
    assert.equal(statSync(join(dataDir, 'nats', 'nats-server.conf')).mode & 0o777, 0o600);
    assert.equal(statSync(join(dataDir, 'nats')).mode & 0o777, 0o700);
    assert.ok(!commandLine(pid)?.join(' ').includes(server.password));
  });
  assert.ok(await isGone(pid));
  assert.deepEqual(readdirSync(dataDir), ['nats']);
  assert.deepEqual(
    readdirSync(join(dataDir, 'nats')).filter((name) => name !== 'checked-binary.json'),
    ['jetstream', 'nats-server.log', 'ports'],
  );
  assert.deepEqual(readdirSync(join(dataDir, 'nats', 'ports')), []);
});

test('nats-server - refuses whoever has no password or a wrong one', async () => {
  await withServer({ dataDir: join(root, 'auth') }, async ({ url, user }) => {
    await assert.rejects(connect({ servers: url, reconnect: false }), /authorization/i);
    await assert.rejects(connect({ servers: url, user, pass: 'wrong', reconnect: false }), /authorization/i);
  });
});

test('nats-server - a second owner of the directory is refused and disturbs nobody', async () => {
  const dataDir = join(root, 'two');
  await withServer({ dataDir }, async (server) => {
    await assert.rejects(startNatsServer({ dataDir, log }), (error) => {
      assert.ok(error instanceof Error && 'hint' in error);
      assert.match(error.message, new RegExp(`in use by process ${process.pid} `));
      assert.match(String(error.hint), /--data-dir/);
      return true;
    });
    await withClient(server, (nc) => nc.flush());
  });
});

test('nats-server - dies with an owner that is killed; the next start has the data', async () => {
  const dataDir = join(root, 'crash');
  const owner = await startOwner(dataDir);
  await withClient(owner, async (nc) => {
    await (await jetstreamManager(nc)).streams.add({ name: 'S', subjects: ['s'] });
    await jetstream(nc).publish('s', 'kept');
    // Another process is refused as well as this one.
    await assert.rejects(startNatsServer({ dataDir, log }), /in use by process/);
  });
  await owner.crash();
  await withServer({ dataDir }, async (server) => {
    assert.ok(await isGone(owner.pid), 'the old server lives on');
    assert.notEqual(server.password, owner.password);
    await withClient(server, async (nc) => {
      const manager = await jetstreamManager(nc);
      assert.equal((await manager.streams.getMessage('S', { seq: 1 }))?.string(), 'kept');
    });
  });
});

test('nats-server - one left behind without its guard is stopped first', async () => {
  const dataDir = join(root, 'leftover');
  const { conf, pidFile, argv } = await withOrphanConfig(dataDir);
  const [command = '', ...args] = argv;
  const orphan = spawn(command, [...args, conf], { stdio: 'ignore', env: childEnv({}), detached: true });
  const { pid = 0 } = orphan;
  assert.ok(await eventually(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') === String(pid), 5000));
  await withServer({ dataDir }, async (server) => {
    assert.ok(await isGone(pid), 'the orphan lives on');
    await withClient(server, (nc) => nc.flush());
  });
});

/** The configuration that a toolbus leaves when it crashes, and how it ran the server. */
async function withOrphanConfig(dataDir: string) {
  const conf = join(dataDir, 'nats', 'nats-server.conf');
  let text = '';
  let argv: readonly string[] = [];
  await withServer({ dataDir }, async ({ pid }) => {
    text = readFileSync(conf, 'utf8');
    argv = commandLine(pid)?.slice(0, 2) ?? [];
  });
  writeFileSync(conf, text);
  return { conf, argv, pidFile: join(dataDir, 'nats', 'nats-server.pid') };
}

test('nats-server - a process that is not ours is never stopped, whatever the pid file says', async () => {
  const dataDir = join(root, 'innocent');
  await withServer({ dataDir }, async () => {});
  const innocent = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    writeFileSync(join(dataDir, 'nats', 'nats-server.pid'), String(innocent.pid));
    await withServer({ dataDir }, async () => {});
    assert.notEqual(processMark(innocent.pid ?? 0), undefined);
  } finally {
    innocent.kill('SIGKILL');
  }
});

test('nats-server - comes back on the same port when it is killed, and its clients with it', async () => {
  await withServer({ dataDir: join(root, 'restart') }, async (server) => {
    await withClient(server, async (nc) => {
      await (await jetstreamManager(nc)).streams.add({ name: 'S', subjects: ['s'] });
      await jetstream(nc).publish('s', 'x');
      for (const restarts of [1, 2]) {
        const { pid, url } = server;
        process.kill(pid, 'SIGKILL');
        assert.ok(await eventually(() => server.restarts === restarts, 5000));
        assert.notEqual(server.pid, pid);
        assert.equal(server.url, url);
        await retry(() => nc.flush());
      }
      const info = await retry(async () => (await jetstreamManager(nc)).streams.info('S'));
      assert.equal(info.state.messages, 1);
    });
  });
});

test('nats-server - closed while it restarts, it stays down', async () => {
  const server = await startNatsServer({ dataDir: join(root, 'race'), log });
  const seen = new Set<number>();
  for (const waitMs of [0, 60, 75]) {
    seen.add(server.pid);
    if (processMark(server.pid) !== undefined) process.kill(server.pid, 'SIGKILL');
    await sleep(waitMs);
  }
  await Promise.all([server.close(), server.close()]);
  seen.add(server.pid);
  for (const pid of seen) assert.equal(processMark(pid), undefined);
  assert.deepEqual(readdirSync(join(root, 'race')), ['nats']);
});

test('nats-server - one that fails at its start is an operator error with its last words, and the directory is free again', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  assert.ok(address !== null && typeof address === 'object');
  const dataDir = join(root, 'fails');
  await assert.rejects(startNatsServer({ dataDir, log, port: address.port }), (error) => {
    assert.ok(error instanceof Error && 'code' in error);
    assert.equal(error.name, 'OperatorError');
    assert.equal(error.code, 4);
    assert.match(error.message, /exit code 1[\s\S]*address already in use/);
    return true;
  });
  taken.close();
  assert.deepEqual(readdirSync(dataDir), ['nats']);
  await withServer({ dataDir }, async () => {});
});

test('nats-server - one that never becomes ready is given up when it has failed too often', async () => {
  const script = join(root, 'flaky');
  const { path } = await locateNatsServer();
  // Runs once; whatever is started later ends at once.
  writeFileSync(script, `#!/bin/sh\n[ -e "$0.ran" ] && exit 9\n: >"$0.ran"\nexec '${path}' "$@"\n`, { mode: 0o755 });
  const server = await startNatsServer({ dataDir: join(root, 'give-up'), binary: script, log, mostFailures: 3 });
  try {
    const gaveUp = new Promise<Error>((resolve) => server.onExit(resolve));
    process.kill(server.pid, 'SIGKILL');
    assert.match((await gaveUp).message, /ended 3 times in a row/);
  } finally {
    await server.close();
  }
});

test('nats-server - a data directory that cannot be is an operator error', async () => {
  writeFileSync(join(root, 'file'), '');
  await assert.rejects(startNatsServer({ dataDir: join(root, 'file', 'x'), log }), {
    name: 'OperatorError',
    message: /cannot use the data directory/,
  });
});

test('nats-server - three nodes form a cluster that replicates a stream and survives the end of one', async () => {
  const nodes = await planLoopbackCluster(join(root, 'cluster'), 3);
  const servers = await Promise.all(nodes.map((node) => startNatsServer({ ...node, log })));
  try {
    const [first, second, third] = servers;
    assert.ok(first && second && third);
    const nc = await connect({
      servers: servers.map(({ url }) => url),
      user: first.user,
      pass: first.password,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    const stored = async () => {
      const manager = await jetstreamManager(nc);
      await manager.streams.add({ name: 'S', subjects: ['s'], num_replicas: 3 });
      return (await jetstream(nc).publish('s', 'x')).seq;
    };
    assert.equal(await retry(stored), 1);
    await first.close();
    assert.equal(await retry(async () => (await jetstream(nc).publish('s', 'y', { msgID: 'y' })).seq), 2);
    await nc.close();
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
});

/** Until the nodes have chosen their leaders, JetStream refuses or stays silent. */
async function retry<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === 60) throw error;
      await sleep(250);
    }
  }
}
