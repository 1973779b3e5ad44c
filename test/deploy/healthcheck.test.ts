import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './compose-file.ts';

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

function runCheck(what: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'deploy/healthcheck.js'), what], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString('utf8');
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

test('health check - an ingress is well when /livez says so', async (t) => {
  for (const [status, code] of [
    [200, 0],
    [503, 1],
  ] as const) {
    const asked: (string | undefined)[] = [];
    const server = createServer((incoming, outgoing) => {
      asked.push(incoming.url);
      outgoing.writeHead(status).end();
    });
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const outcome = await runCheck('admin', { TOOLBUS_ADMIN_PORT: String(address.port) });
    assert.equal(outcome.code, code);
    assert.deepEqual(asked, ['/livez']);
  }
});

test('health check - nobody there is not well', async () => {
  assert.equal((await runCheck('admin', { TOOLBUS_ADMIN_PORT: '1' })).code, 1);
});

test('health check - an unknown question is not well', async () => {
  const { code, stderr } = await runCheck('else');
  assert.equal(code, 1);
  assert.match(stderr, /usage/);
});

test('health check - a worker is well while it has a connection to one of the servers in NATS_URL', async (t) => {
  if (process.platform !== 'linux') return t.skip('reads /proc');
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const env = { NATS_URL: `nats://user:password@nats-1:1,nats-2:${address.port}` };
  assert.equal((await runCheck('bus', env)).code, 1);

  const client = connect(address.port, '127.0.0.1');
  await new Promise<void>((resolve) => client.once('connect', resolve));
  assert.equal((await runCheck('bus', env)).code, 0);

  client.destroy();
  server.close();
});
