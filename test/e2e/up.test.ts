import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixtureCommand, startFixture } from '../helpers/fixture.ts';
import { assertGone, descendantsOf } from '../helpers/processes.ts';
import { callTool, modern, textOf } from '../helpers/rpc.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('up - without a config file runs the bundled servers, and each can be called', async () => {
  verifies('start:bundled-example', 'start:ready-line', 'admin:health', 'admin:metrics');
  await using toolbus = await startToolbus();
  const { mcp, admin, nats, key, servers, pid } = toolbus.ready;
  assert.equal(pid, toolbus.pid);
  assert.match(nats, /^nats:\/\//);
  assert.ok(key, 'a development key');
  assert.deepEqual(
    servers.filter(({ status, tools = 0 }) => status !== 'ready' || tools === 0),
    [],
  );
  assert.equal(servers.length, 4);

  const { response } = await modern(mcp, 'tools/list', {}, { key });
  const names = (response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  const find = (tool: string): string => names.find((name) => name.endsWith(`__${tool}`)) ?? assert.fail(tool);
  const echo = await callTool(mcp, find('echo'), { message: 'hello' }, { key });
  assert.match(textOf(echo), /hello/);
  assert.ok(textOf(await callTool(mcp, find('list_allowed_directories'), {}, { key })));
  assert.ok((await callTool(mcp, find('read_graph'), {}, { key })).response?.result);
  const thought = { thought: 'a', thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false };
  assert.ok((await callTool(mcp, find('sequentialthinking'), thought, { key })).response?.result);

  assert.equal((await fetch(`${admin}/livez`)).status, 200);
  const ready = await fetch(`${admin}/readyz`);
  assert.equal(ready.status, 200);
  assert.equal(typeof (await ready.json()), 'object');
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  assert.match(metrics, /mcp_server_operation_duration/);
  assert.match(metrics, /_bucket\{/);
});

test('up - a server that cannot start is named and stops nobody', async () => {
  verifies('start:failed-server');
  const broken = { command: process.execPath, args: ['-e', 'process.exit(3)'] };
  const config = { servers: { works: fixtureCommand('scripted-upstream', ['--stdio']), broken } };
  await using toolbus = await startToolbus({ config });
  const { mcp, key, servers } = toolbus.ready;
  const status = Object.fromEntries(servers.map((server) => [server.name, server.status]));
  assert.deepEqual(status, { works: 'ready', broken: 'failed' });
  assert.ok(servers.find(({ name }) => name === 'broken')?.error);
  assert.match(textOf(await callTool(mcp, 'works__run', { id: 'fine' }, { key })), /^fine by/);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`up - ${signal} lets the running call finish, exits 0 and leaves nothing`, async () => {
    verifies('stop:graceful');
    await using toolbus = await startToolbus({
      config: { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } },
    });
    const { mcp, key } = toolbus.ready;
    const below = descendantsOf(toolbus.pid);
    assert.ok(below.length >= 2, 'nats-server and a child');
    const call = callTool(mcp, 'scripted__run', { id: 'last', delayMs: 1000 }, { key });
    await until('the call is in flight', async () => {
      const metrics = await (await fetch(`${toolbus.ready.admin}/metrics`)).text();
      return /in_?flight\S* [1-9]/i.test(metrics);
    });
    toolbus.signal(signal);
    assert.match(textOf(await call), /^last by/);
    assert.deepEqual(await toolbus.exited, { code: 0, signal: null });
    await assertGone(below, 1000);
  });
}

test('up - SIGKILL leaves neither nats-server nor a child, and it starts again on the same data', async () => {
  verifies('stop:sigkill-leaves-nothing', 'nats:restart-after-crash');
  const dir = mkdtempSync(join(tmpdir(), 'toolbus-killed-'));
  try {
    const config = { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } };
    const first = await startToolbus({ config, dir });
    const below = descendantsOf(first.pid);
    first.signal('SIGKILL');
    await first.exited;
    await assertGone(below, 2000);
    await using second = await startToolbus({ config, dir });
    const { mcp, key } = second.ready;
    assert.match(textOf(await callTool(mcp, 'scripted__run', { id: 'again' }, { key })), /^again by/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('up - a dead server stays listed and delays nobody', async () => {
  verifies('catalog:dead-server-stays-listed');
  await using dead = await startFixture('scripted-upstream');
  await using toolbus = await startToolbus({
    config: { servers: { dead: { url: dead.url }, alive: fixtureCommand('scripted-upstream', ['--stdio']) } },
  });
  const { mcp, key } = toolbus.ready;
  await dead[Symbol.asyncDispose]();
  const failed = await callTool(mcp, 'dead__run', {}, { key });
  assert.ok(failed.response?.error, 'the call fails');
  const { response } = await modern(mcp, 'tools/list', {}, { key });
  const names = (response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  assert.ok(names.includes('dead__run') && names.includes('alive__run'));
  assert.match(textOf(await callTool(mcp, 'alive__run', { id: 'well' }, { key })), /^well by/);
});
