import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { serveHttp } from '../upstream/http.ts';
import { mcpHandler } from '../upstream/mcp.ts';
import { startHold } from './hold.ts';
import { runClosed, runList, runOpen } from './loops.ts';
import { createAgentPool } from './pool.ts';
import type { Endpoint } from './request.ts';

const window = { warmupMs: 20, measureMs: 200 };

/** A pool of agents and the upstream of the benchmark. */
async function upstream(t: TestContext) {
  const server = serveHttp(mcpHandler(7));
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pool = createAgentPool('legacy');
  const endpoint: Endpoint = { port, path: '/mcp', headers: {} };
  t.after(() => {
    pool.release(endpoint);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { pool, endpoint, sockets };
}

test('load - windows of one endpoint use the same connections', async (t) => {
  const { pool, endpoint, sockets } = await upstream(t);
  const few = await pool.take(endpoint, 2);
  const more = await pool.take(endpoint, 5);
  assert.deepEqual(more.slice(0, 2), few);
  assert.equal(sockets.size, 5);
  pool.release(endpoint);
  assert.notEqual((await pool.take(endpoint, 1))[0], few[0]);
});

test('load - agents that the server hung up on, or that were not used for long, are replaced before a window', async (t) => {
  const { pool, endpoint, sockets } = await upstream(t);
  const before = await pool.take(endpoint, 3);
  for (const socket of sockets) socket.destroy();
  while (before.some(({ connection }) => !connection.closed)) await new Promise((resolve) => setTimeout(resolve, 5));
  const job = { kind: 'closed', agents: 3, work: { tool: 'echo' }, window } as const;
  assert.equal((await runClosed(job, await pool.take(endpoint, 3))).firstFault, undefined);

  const impatient = createAgentPool('legacy', 0);
  t.after(() => impatient.release(endpoint));
  const [first] = await impatient.take(endpoint, 1);
  const [second] = await impatient.take(endpoint, 1);
  assert.ok(first?.connection.closed && second?.connection.closed === false);
});

test('load - a closed loop leaves nothing in flight, and times the calls whose answers come after the window', async (t) => {
  const { pool, endpoint } = await upstream(t);
  const agents = await pool.take(endpoint, 3);
  // The first call of each agent begins in the warm-up, the last ends after the window.
  const slow = {
    kind: 'closed',
    agents: 3,
    work: { tool: 'sleep', ms: 300 },
    window: { ...window, measureMs: 400 },
  } as const;
  const { calls, answered, latencies, firstFault } = await runClosed(slow, agents);
  assert.equal(firstFault, undefined);
  assert.equal(answered, calls + 3);
  assert.equal(latencies.length, answered - 3);
  assert.ok(latencies.every((milliseconds) => milliseconds >= 290));
  const echo = { kind: 'closed', agents: 3, work: { tool: 'echo' }, window } as const;
  const second = await runClosed(echo, agents);
  assert.equal(second.firstFault, undefined);
  assert.ok(second.calls > 3 && second.answered >= second.calls);
});

test('load - an open loop times every call that was due, also those that had to wait for an agent', async (t) => {
  const { pool, endpoint } = await upstream(t);
  const agents = await pool.take(endpoint, 1);
  // One agent bears 20 calls a second, and 100 a second are due.
  const job = { kind: 'open', agents: 1, perSecond: 100, work: { tool: 'sleep', ms: 50 }, window } as const;
  const { latencies, firstFault } = await runOpen(job, agents);
  assert.equal(firstFault, undefined);
  assert.ok(latencies.length >= 15, `${latencies.length} calls`);
  assert.ok(Math.max(...latencies) > 500, `${Math.max(...latencies)} ms`);
});

test('load - a list is checked for its number of tools', async (t) => {
  const { pool, endpoint } = await upstream(t);
  const [agent] = await pool.take(endpoint, 1);
  assert.ok(agent !== undefined);
  assert.equal((await runList({ kind: 'list', tools: 7, window }, agent)).firstFault, undefined);
  const wrong = await runList({ kind: 'list', tools: 8, window }, agent);
  assert.equal(wrong.firstFault, '7 tools instead of 8');
  assert.equal(wrong.wrong, wrong.answered);
});

test('load - held calls are settled by their answers; one that comes before is a fault', async (t) => {
  const { pool, endpoint } = await upstream(t);
  const agents = await pool.take(endpoint, 4);
  const held = startHold(agents, { tool: 'sleep', ms: 200 });
  assert.deepEqual(await held.settle(), { answered: 4, faults: [] });

  const early = startHold(agents, { tool: 'sleep', ms: 1 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await early.settle()).faults.length, 4);
});
