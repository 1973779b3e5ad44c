import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { agentWithKey } from '../helpers/keys.ts';
import { startNats } from '../helpers/nats.ts';
import { modern } from '../helpers/rpc.ts';
import { verifies } from '../requirements.ts';
import { startAnsweringUpstream } from './answering-upstream.ts';
import { startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';

const linuxOnly = process.platform === 'linux' ? {} : { skip: 'reads /proc' };

/** `address:port` of every socket on which a process listens. */
function listeningOf(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? ''];
      } catch {
        return [];
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && sockets.has(fields[9] ?? ''))
      .map((fields) => {
        const [address = '', port = ''] = (fields[1] ?? '').split(':');
        const bytes = (address.match(/../g) ?? []).map((hex) => Number.parseInt(hex, 16)).reverse();
        return `${bytes.join('.')}:${Number.parseInt(port, 16)}`;
      }),
  );
}

/** What nats-server says to a client that sends these lines. */
function saidTo(port: number, lines: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(lines));
    socket.on('data', (chunk) => {
      said += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(said));
  });
}

test(
  'nats - the embedded server listens on its one loopback port, is new enough, and knows nobody without a password (I16)',
  linuxOnly,
  async () => {
    verifies('nats:closed');
    await using nats = await startNats();
    const { port } = new URL(nats.url);
    assert.deepEqual(
      listeningOf(nats.nodes[0]?.pid ?? 0),
      [`127.0.0.1:${port}`],
      'no WebSocket, MQTT, leafnode, route or monitor',
    );
    for (const options of [
      '{}',
      '{"user":"toolbus"}',
      '{"user":"","pass":""}',
      '{"auth_token":"x"}',
      '{"jwt":"x","sig":"y"}',
    ]) {
      const said = await saidTo(Number(port), `CONNECT ${options}\r\nPING\r\nSUB > 1\r\n`);
      assert.match(said, /-ERR 'Authorization Violation'/, options);
      assert.doesNotMatch(said, /PONG|MSG/);
      const info = JSON.parse(/^INFO (.*)\r$/m.exec(said)?.[1] ?? '{}') as { version: string };
      const [major = 0, minor = 0] = info.version.split('.').map(Number);
      assert.ok(major > 2 || (major === 2 && minor >= 14), info.version);
    }
  },
);

test('nats - no name of a tool adds a token, a wildcard or a line to a subject (I15)', async () => {
  verifies('nats:names');
  const { key, agent } = agentWithKey();
  const names = ['a.>', '*', '>', 'a b', 'a\r\nPUB tb.v1.default.evt.x 0\r\n', '..', '', 'ü', 'x'.repeat(128), 'ok'];
  await using upstream = await startAnsweringUpstream({ tools: names.map((name) => echoTool(name)) });
  await using gateway = await startGateway({ servers: { up: { url: upstream.url } }, agents: { a: agent } });
  const mcp = `${gateway.origin}/mcp`;
  const list = await modern(mcp, 'tools/list', {}, { key });
  const listed = (list.response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  assert.ok(listed.length >= 2, listed.join());
  for (const name of [...listed, ...names.map((own) => `up__${own}`).filter((own) => /^[\x20-\x7e]+$/.test(own))])
    await modern(mcp, 'tools/call', { name, arguments: {} }, { key });
  const called = gateway.traffic.filter((line) => /^tb\.v1\.default\.(call|inst)\./.test(line));
  assert.ok(called.length >= listed.length);
  for (const line of gateway.traffic.filter((one) => one.startsWith('tb.')))
    assert.match(
      line,
      /^tb\.v1\.default\.(call\.up\.(tool|rpc)\.[\w=-]+|inst\.up\.\w+\.(call|ctl)|[a-z]+(\.[\w=-]+)*)[^.\w=-]/,
      line.slice(0, 200),
    );
});
