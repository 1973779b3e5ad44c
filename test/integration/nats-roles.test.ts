import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { openCore } from '../../services/ingress/core.ts';
import { startNatsServer } from '../../services/nats-server/start.ts';
import { startWorker } from '../../services/worker/main.ts';
import { bucketPrefixOf } from '../../shared/bus/buckets.ts';
import { inboxOf, ingressPermissions, workerPermissions } from '../../shared/bus/roles.ts';
import { configSchema } from '../../shared/config/schema.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const log = pino({ level: 'silent' });
const auditStreams = ['TOOLBUS_AUDIT'];
const rightsOf = (server: string) =>
  workerPermissions('default', server, `worker-${server}`, bucketPrefixOf('default'));

/** What nats-server refused on this connection. */
function followRefusals(nc: NatsConnection): string[] {
  const refused: string[] = [];
  void (async () => {
    for await (const status of nc.status()) if (status.type === 'error') refused.push(String(status.error.message));
  })();
  return refused;
}

test('nats roles - a worker with the rights of its server alone serves it, and reaches nothing else', async () => {
  verifies('nats:roles');
  const root = mkdtempSync(join(tmpdir(), 'toolbus-roles-'));
  const server = await startNatsServer({
    dataDir: root,
    log,
    ownPermissions: ingressPermissions(auditStreams),
    users: new Map([['worker-memory', rightsOf('memory')]]),
  });
  const config = configSchema.parse({
    servers: {
      memory: { command: process.execPath, args: ['node_modules/@modelcontextprotocol/server-memory/dist/index.js'] },
    },
  });
  const { user, password, url } = server;
  const core = await openCore({ bus: { url, user, password }, tenant: 'default', log, config: () => config });
  const credentials = server.userOf('worker-memory');
  assert.ok(credentials && config.servers['memory']);
  const bus = { url, user: credentials.user, password: credentials.password };
  const worker = await startWorker({
    server: 'memory',
    config: config.servers['memory'],
    bus,
    tenant: 'default',
    callKeys: Promise.resolve(core.callKeysOf('memory')),
    log,
  });
  try {
    await until('the tools are known', async () => core.catalog.instances('memory').some((one) => one.tools > 0));
    const answer = await core.handle({
      callId: 'c1',
      method: 'tools/call',
      params: { name: 'memory__read_graph', arguments: {} },
      endpoint: { kind: 'all' },
      principal: { id: 'development', method: 'development' },
      agent: { protocolVersion: '2026-07-28', capabilities: {} },
      wantsProgress: false,
      clientAddress: '127.0.0.1',
      headers: {},
      signal: new AbortController().signal,
      receivedAt: performance.now(),
      onNotification: () => undefined,
    });
    assert.equal(answer.kind, 'result');
    const spoken = readFileSync(join(root, 'nats', 'nats-server.log'), 'utf8');
    assert.doesNotMatch(spoken, /Permissions Violation/i, 'its daily work needs nothing more');

    const nc = await connect({
      servers: url,
      user: credentials.user,
      pass: credentials.password,
      inboxPrefix: inboxOf('worker-memory'),
    });
    const refused = followRefusals(nc);
    for (const subject of [
      'tb.v1.default.call.github.tool.search',
      'tb.v1.default.inst.github.abc.ctl',
      '$KV.toolbus_default_workers.github.abc',
      '$KV.toolbus_default_catalog.github.head',
      '$JS.API.STREAM.DELETE.KV_toolbus_default_catalog',
      '$JS.API.DIRECT.GET.KV_toolbus_default_cluster.$KV.toolbus_default_cluster.secret',
      '$JS.API.CONSUMER.CREATE.KV_toolbus_default_cluster.x.$KV.toolbus_default_cluster.>',
    ])
      nc.publish(subject, '{}');
    for (const subject of ['tb.v1.default.call.github.>', 'tb.v1.default.reply.>', '_INBOX.>', '>'])
      nc.subscribe(subject);
    await nc.flush();
    await until('nats-server has refused all of it', async () => refused.length >= 11);
    await nc.close();
  } finally {
    await worker.close(0);
    await core.close();
    await server.close();
    rmSync(root, { recursive: true, force: true });
  }
});

test('nats roles - a server added later gets a user of its own; others stay connected', async () => {
  verifies('nats:roles');
  const root = mkdtempSync(join(tmpdir(), 'toolbus-roles-'));
  const server = await startNatsServer({ dataDir: root, log, ownPermissions: ingressPermissions(auditStreams) });
  try {
    const first = await connect({ servers: server.url, user: server.user, pass: server.password });
    let disconnected = 0;
    void (async () => {
      for await (const status of first.status()) if (status.type === 'disconnect') disconnected += 1;
    })();
    const [one, two] = await Promise.all([
      server.addUser('worker-a', rightsOf('a')),
      server.addUser('worker-b', rightsOf('b')),
    ]);
    const again = await server.addUser('worker-a', rightsOf('a'));
    assert.equal(again.password, one.password);
    assert.notEqual(one.password, two.password);
    const nc = await connect({
      servers: server.url,
      user: 'worker-b',
      pass: two.password,
      inboxPrefix: inboxOf('worker-b'),
    });
    const refused = followRefusals(nc);
    nc.publish('tb.v1.default.call.a.tool.x');
    await nc.flush();
    await until('it may not call another server', async () => refused.length === 1);
    await nc.close();
    await sleep(50);
    assert.equal(disconnected, 0);
    await first.close();
  } finally {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  }
});

test('nats roles - nobody, the ingress included, may delete or purge the audit', async () => {
  verifies('nats:roles');
  const root = mkdtempSync(join(tmpdir(), 'toolbus-roles-'));
  const server = await startNatsServer({ dataDir: root, log, ownPermissions: ingressPermissions(auditStreams) });
  try {
    const nc = await connect({ servers: server.url, user: server.user, pass: server.password });
    const refused = followRefusals(nc);
    for (const verb of ['STREAM.DELETE', 'STREAM.PURGE', 'STREAM.MSG.DELETE'])
      nc.publish(`$JS.API.${verb}.TOOLBUS_AUDIT`);
    await nc.flush();
    await until('all three are refused', async () => refused.length === 3);
    await nc.close();
  } finally {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  }
});
