import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './compose-file.ts';
import { freePort } from './free-port.ts';

const conf = readFileSync(join(root, 'deploy/nginx/nginx.conf'), 'utf8');
const installed = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status === 0;
const skip = installed ? false : 'nginx is not installed (Debian: apt-get install nginx-light)';

/** The shipped file with hosts and ports of this machine in place of the ones in the containers. */
async function localConf(
  t: TestContext,
  ingresses: readonly [number, number],
): Promise<{ file: string; port: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-deploy-nginx-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const port = await freePort();
  const text = conf
    .replace('ingress-1:8080', `127.0.0.1:${ingresses[0]}`)
    .replace('ingress-2:8080', `127.0.0.1:${ingresses[1]}`)
    .replace('listen 8080;', `listen 127.0.0.1:${port};`)
    .replace('127.0.0.1:8082', `127.0.0.1:${await freePort()}`)
    .replaceAll('/tmp/', `${dir}/`)
    .replace('/dev/stdout', join(dir, 'access.log'))
    .replace('/dev/stderr', join(dir, 'error.log'))
    .replace('worker_processes auto', 'worker_processes 1');
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, text);
  return { file, port };
}

async function startBackend(
  t: TestContext,
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Promise<number> {
  const server = createServer(answer);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

async function startNginx(t: TestContext, ingresses: readonly [number, number]): Promise<number> {
  const { file, port } = await localConf(t, ingresses);
  const child = spawn('nginx', ['-e', 'stderr', '-c', file, '-g', 'daemon off;'], { stdio: 'ignore' });
  t.after(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  });
  for (let attempt = 0; attempt < 100; attempt++) {
    if (
      await fetch(`http://127.0.0.1:${port}/up`).then(
        () => true,
        () => false,
      )
    )
      return port;
    await sleep(50);
  }
  return assert.fail('nginx did not start');
}

test('nginx.conf - nginx accepts it', { skip }, async (t) => {
  const { file } = await localConf(t, [1, 2]);
  const { status, stderr } = spawnSync('nginx', ['-t', '-e', 'stderr', '-c', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

test('nginx.conf - has no sticky sessions', () => {
  assert.doesNotMatch(conf, /^\s*(ip_hash|hash|sticky|least_conn)\b/m);
});

test(
  'nginx.conf - takes the ingresses in turn, keeps Host and does not believe X-Forwarded-For',
  { skip },
  async (t) => {
    const seen: { at: string; host: string | undefined; from: string | string[] | undefined }[] = [];
    const backend = (at: string) =>
      startBackend(t, ({ headers, url }, outgoing) => {
        if (url === '/mcp') seen.push({ at, host: headers.host, from: headers['x-forwarded-for'] });
        outgoing.end('ok');
      });
    const port = await startNginx(t, [await backend('one'), await backend('two')]);

    for (let count = 0; count < 6; count++) {
      const answer = await fetch(`http://127.0.0.1:${port}/mcp`, {
        method: 'POST',
        body: '{}',
        headers: { 'x-forwarded-for': '203.0.113.9' },
      });
      assert.equal(await answer.text(), 'ok');
    }
    assert.equal(seen.filter(({ at }) => at === 'one').length, 3);
    assert.equal(seen.filter(({ at }) => at === 'two').length, 3);
    for (const { host, from } of seen) {
      assert.equal(host, `127.0.0.1:${port}`);
      assert.equal(from, '127.0.0.1');
    }
  },
);

test('nginx.conf - an event arrives while its stream is still open', { skip }, async (t) => {
  const held: ServerResponse[] = [];
  const backend = () =>
    startBackend(t, ({ url }, outgoing) => {
      if (url !== '/sse') return void outgoing.end('ok');
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.write('data: first\n\n');
      held.push(outgoing);
    });
  const port = await startNginx(t, [await backend(), await backend()]);

  const first = await new Promise<string>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/sse' }, (incoming) => {
      incoming.once('data', (piece: Buffer) => {
        resolve(piece.toString('utf8'));
        outgoing.destroy();
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
  assert.equal(first, 'data: first\n\n');
  assert.equal(held.length, 1);
});

test('nginx.conf - goes on with one ingress, and never sends a POST twice', { skip }, async (t) => {
  let arrived = 0;
  const dead = await freePort();
  const alive = await startBackend(t, ({ url, socket }, outgoing) => {
    if (url !== '/broken') return void outgoing.end('ok');
    arrived++;
    socket.destroy();
  });
  const port = await startNginx(t, [dead, alive]);
  for (let count = 0; count < 4; count++) {
    const answer = await fetch(`http://127.0.0.1:${port}/mcp`, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 200);
  }
  const broken = await fetch(`http://127.0.0.1:${port}/broken`, { method: 'POST', body: '{}' });
  assert.equal(broken.status, 502);
  assert.equal(arrived, 1);
});
