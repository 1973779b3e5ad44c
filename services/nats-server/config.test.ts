import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { natsServerConfig } from './config.ts';
import { locateNatsServer } from './locate.ts';

const dir = mkdtempSync(join(tmpdir(), `toolbus conf "quoted" $HOME \\ ü # {`));
after(() => rmSync(dir, { recursive: true }));

const base = {
  serverName: 'node-1',
  port: 4222,
  users: [{ user: 'toolbus', password: 'p-w_d' }],
  storeDir: join(dir, 'jetstream'),
  portsDir: dir,
  pidFile: join(dir, 'pid'),
  logFile: join(dir, 'log'),
};

/** What nats-server itself says of the text: nothing when it takes it. */
async function complaint(text: string): Promise<string> {
  const { path } = await locateNatsServer();
  writeFileSync(join(dir, 'conf'), text);
  const check = promisify(execFile)(path, ['-t', '-c', join(dir, 'conf')]);
  return check.then(
    () => '',
    (error) => `${error.stderr}`,
  );
}

test('config - nats-server takes it, with any path', async () => {
  assert.equal(await complaint(natsServerConfig(base)), '');
});

test('config - nats-server takes it for a cluster', async () => {
  const cluster = { clusterName: 'c', routePort: 6001, peerPorts: [6001, 6002, 6003] };
  const text = natsServerConfig({ ...base, syncAlways: true, cluster });
  assert.equal(await complaint(text), '');
  assert.match(text, /sync_interval: always/);
  assert.ok(!text.includes('@127.0.0.1:6001'), 'a node has no route to itself');
  assert.match(text, /nats-route:\/\/toolbus:p-w_d@127\.0\.0\.1:6003/);
});

test('config - listens on loopback, asks for a password, and names its limits', () => {
  const text = natsServerConfig(base);
  for (const line of [
    'host: "127.0.0.1"',
    'port: 4222',
    'max_payload: 8388608',
    'ping_interval: "2s"',
    'ping_max: 2',
    'write_deadline: "5s"',
    '    { user: "toolbus", password: "p-w_d" }',
    'max_file_store: 10737418240',
    'sync_interval: "10s"',
    'logfile_size_limit: 8388608',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
  assert.ok(!text.includes('cluster'));
});

test('config - a line break in a setting cannot add another setting', () => {
  assert.throws(() => natsServerConfig({ ...base, serverName: 'x"\nno_auth_user: "y' }), TypeError);
});
