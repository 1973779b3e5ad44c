import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Broker, startBroker } from '../chaos/broker.ts';
import { agentWithKey } from '../helpers/keys.ts';
import {
  callTool,
  type ModernOptions,
  modern,
  openLegacySession,
  post,
  type RpcMessage,
  textOf,
} from '../helpers/rpc.ts';
import { readStream } from '../helpers/stream-reader.ts';
import { startIngress, startToolbus, startWorker, type Toolbus, type WorkerReadyLine } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const alice = agentWithKey();
const bob = agentWithKey();
const fixture = fileURLToPath(new URL('../../services/worker/upstreams/testing/task-stdio.ts', import.meta.url));
const commandOf = (...mode: string[]) => ({
  command: process.execPath,
  args: ['--import', import.meta.resolve('tsx'), fixture, ...mode],
});
const servers = { telling: commandOf('declared'), silent: commandOf(), old: { ...commandOf('legacy'), era: 'legacy' } };
const config = {
  servers,
  agents: { alice: alice.agent, bob: bob.agent },
  cluster: { secret: 'tasks-tasks-tasks-tasks-tasks-tasks' },
  audit: { mode: 'best-effort' },
};
let broker: Broker;
let a: Toolbus;
let b: Toolbus;
let workers: Toolbus<WorkerReadyLine>[] = [];

before(async () => {
  broker = await startBroker();
  workers = await Promise.all(Object.keys(servers).map((name) => startWorker(name, broker.url, { config })));
  [a, b] = await Promise.all([startIngress(broker.url, { config }), startIngress(broker.url, { config })]);
});

after(async () => {
  await Promise.allSettled([a, b, ...workers].map((one) => one?.[Symbol.asyncDispose]()));
  await broker?.[Symbol.asyncDispose]();
});

const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
type Agent = Pick<ModernOptions, 'key' | 'signal' | 'onMessage'>;

async function start(ingress: Toolbus, server: string, agent: Agent): Promise<string> {
  const { response } = await callTool(ingress.ready.mcp, `${server}__manual`, {}, { ...agent, capabilities });
  assert.equal(response?.result?.['resultType'], 'task');
  return String(response.result['taskId']);
}

const finish = (ingress: Toolbus, server: string, agent: Agent) =>
  callTool(ingress.ready.mcp, `${server}__finish`, {}, { ...agent, capabilities });

function listen(ingress: Toolbus, taskIds: readonly string[], agent: Agent, more = {}) {
  const abort = new AbortController();
  const messages: RpcMessage[] = [];
  const ended = modern(
    ingress.ready.mcp,
    'subscriptions/listen',
    { notifications: { taskIds, ...more } },
    { ...agent, capabilities, signal: abort.signal, onMessage: (message) => void messages.push(message) },
  ).catch(() => undefined);
  return {
    messages,
    acknowledged: () =>
      until('acknowledged', () => messages[0]?.params?.['notifications'] as { taskIds?: string[] } | undefined),
    told: () => messages.filter(({ method }) => method === 'notifications/tasks').map(({ params }) => params),
    async close() {
      abort.abort();
      await ended;
    },
  };
}

for (const server of ['telling', 'silent']) {
  test(`tasks - their agent is told of changes at whichever ingress it listens, nobody else is (${server} server)`, async () => {
    verifies('tasks:notifications');
    const taskId = await start(a, server, alice);
    const [mineA, mineB] = [listen(a, [taskId], alice), listen(b, [taskId], alice)];
    const stranger = listen(b, [taskId], bob, { toolsListChanged: true });
    assert.deepEqual((await mineA.acknowledged()).taskIds, [taskId]);
    assert.deepEqual((await mineB.acknowledged()).taskIds, [taskId]);
    assert.deepEqual(await stranger.acknowledged(), { toolsListChanged: true });
    await delay(500);
    assert.deepEqual(mineA.told(), [], 'nothing has changed yet');

    await finish(b, server, alice);
    for (const { told } of [mineA, mineB]) {
      const [params] = await until('told', () => (told().length > 0 ? told() : undefined));
      assert.equal(params?.['taskId'], taskId);
      assert.equal(params?.['status'], 'completed');
      assert.deepEqual(params?.['result'], { content: [{ type: 'text', text: 'done' }] });
    }
    await delay(500);
    for (const { told } of [mineA, mineB]) assert.equal(told().length, 1);
    assert.deepEqual(stranger.told(), []);
    await Promise.all([mineA, mineB, stranger].map(({ close }) => close()));
  });
}

test('tasks - a foreign id and one that never was are answered alike', async () => {
  verifies('tasks:notifications');
  const taskId = await start(a, 'telling', alice);
  const answers = await Promise.all(
    [taskId, `${taskId.slice(0, -4)}AAAA`, 'task-1', ''].map(async (id) => {
      const listening = listen(b, [id], bob);
      const acknowledged = await listening.acknowledged();
      await until('the stream has ended', () => listening.messages[1]?.result);
      await listening.close();
      return acknowledged;
    }),
  );
  for (const answer of answers) assert.deepEqual(answer, {});
});

test('tasks - one whose agent leaves before it is announced is cancelled at its server', async () => {
  verifies('tasks:abandoned');
  const leaving = new AbortController();
  const call = callTool(a.ready.mcp, 'silent__late', {}, { ...alice, capabilities, signal: leaving.signal });
  await delay(200);
  leaving.abort();
  await assert.rejects(call);
  const counts = await until('the task is cancelled', async () => {
    const answer = await callTool(b.ready.mcp, 'silent__counts', {}, { ...alice, capabilities });
    const read = JSON.parse(textOf(answer)) as Record<string, number>;
    return (read['cancelled'] ?? 0) > 0 && read;
  });
  assert.equal(counts['tasks/cancel'], 1);
});

test('tasks - whoever listens for one that was lost with its worker hears the end of the stream', async () => {
  verifies('tasks:notifications');
  const mortal = { ...config, servers: { mortal: servers.silent } };
  const c = await startIngress(broker.url, { config: mortal });
  const first = await startWorker('mortal', broker.url, { config: mortal });
  let second: Toolbus<WorkerReadyLine> | undefined;
  try {
    const taskId = await until('the worker is known', () => start(c, 'mortal', alice));
    const listening = listen(c, [taskId], alice);
    assert.deepEqual((await listening.acknowledged()).taskIds, [taskId]);
    first.signal('SIGKILL');
    second = await startWorker('mortal', broker.url, { config: mortal });
    await until('the stream has ended', () => listening.messages.at(-1)?.result, 30_000);
    assert.deepEqual(listening.told(), []);
    await listening.close();
  } finally {
    await Promise.allSettled([c, first, second].map((one) => one?.[Symbol.asyncDispose]()));
  }
});

test('tasks - agents of 2025-11-25 are offered none, at any ingress', async () => {
  verifies('tasks:legacy');
  const session = await openLegacySession(a.ready.mcp, { key: alice.key, capabilities: { tasks: { list: {} } } });
  assert.equal((session.result['capabilities'] as Record<string, unknown>)['tasks'], undefined);
  const headers = {
    authorization: `Bearer ${alice.key}`,
    'mcp-session-id': session.id,
    'mcp-protocol-version': '2025-11-25',
  };
  const stream = readStream(b.ready.mcp, headers);
  await stream.status;
  const taskId = await start(a, 'telling', alice);
  for (const { ready } of [a, b]) {
    const ask = (method: string, params: object) =>
      post(ready.mcp, { jsonrpc: '2.0', id: method, method, params }, { headers });
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/list']) {
      for (const id of [taskId, 'task-1']) {
        assert.equal((await ask(method, { taskId: id })).response?.error?.code, -32601, method);
      }
    }
    const { response: listed } = await ask('tools/list', {});
    assert.ok(!JSON.stringify(listed?.result).includes('taskSupport'));
    // 2025-11-25, basic/utilities/tasks: who does not declare it answers as if no task had been asked for.
    for (const server of ['telling', 'old']) {
      const { response } = await ask('tools/call', { name: `${server}__works`, arguments: {}, task: { ttl: 60_000 } });
      assert.deepEqual(response?.result, { content: [{ type: 'text', text: 'done' }] }, server);
    }
  }
  await finish(a, 'telling', alice);
  await delay(500);
  assert.ok(!stream.messages.some(({ method }) => method?.startsWith('notifications/tasks')));
  stream.drop();
});

test('tasks - workers that may reach their own server alone tell of tasks too', async () => {
  verifies('tasks:notifications');
  await using up = await startToolbus({ config: { servers: { silent: servers.silent } } });
  const key = { key: up.ready.key };
  const taskId = await start(up, 'silent', key);
  const listening = listen(up, [taskId], key);
  assert.deepEqual((await listening.acknowledged()).taskIds, [taskId]);
  await finish(up, 'silent', key);
  await until('told', () => listening.told()[0]?.['status'] === 'completed');
  await listening.close();
});
