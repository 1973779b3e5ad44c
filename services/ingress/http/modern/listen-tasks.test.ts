import assert from 'node:assert/strict';
import test from 'node:test';
import { GatewayError } from '../../../../shared/errors.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { tasksRequired } from '../../../../shared/mcp/tasks.ts';
import { createSealer } from '../../../../shared/seal.ts';
import { until } from '../../../../test/helpers/until.ts';
import { verifies } from '../../../../test/requirements.ts';
import type { Handle } from '../../request.ts';
import { sealTaskId } from '../../state/task-id.ts';
import { startTestServer, type TestServer } from '../testing/public-server.ts';
import { eventsOf, modern, open, send } from '../testing/raw-http.ts';

const sealer = createSealer('test');
const own = (id: string, server = 'demo') => sealTaskId(sealer, 'anonymous', { server, instance: 'one', id });
const strangers = sealTaskId(sealer, 'somebody', { server: 'demo', instance: 'one', id: 'a' });

interface Tasks {
  /** By the server's own id; a function is called. */
  readonly states: Map<string, JsonObject | (() => JsonObject)>;
  readonly handle: Handle;
}

/** Answers `tasks/get` as the method behind the edge does. */
function tasksOf(states: Record<string, JsonObject | (() => JsonObject)>): Tasks {
  const known = new Map(Object.entries(states));
  return {
    states: known,
    async handle({ params }) {
      const taskId = String(params['taskId']);
      const [id] = [...known.keys()].filter((one) => isSame(taskId, one));
      const given = id === undefined ? undefined : known.get(id);
      const state = typeof given === 'function' ? given() : given;
      if (state === undefined) return { kind: 'error', error: { code: -32602, message: 'Unknown task' } };
      return { kind: 'result', resultType: 'complete', body: JSON.stringify({ ...state, taskId }) };
    },
  };
}

function isSame(sealed: string, id: string): boolean {
  return sealer.open('task', sealed, 'anonymous')?.['id'] === id;
}

const listen = (notifications: JsonObject, capabilities: JsonObject = tasksRequired) =>
  modern('subscriptions/listen', {
    id: 'sub',
    params: { notifications },
    meta: { [metaKey.clientCapabilities]: capabilities },
  });

/** An open stream and the messages that came on it. */
async function opened(server: TestServer, taskIds: string[], more: JsonObject = {}) {
  const { res } = await open({ port: server.port, ...listen({ taskIds, ...more }) });
  const messages: JsonObject[] = [];
  let text = '';
  res.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let at = text.indexOf('\n\n'); at !== -1; at = text.indexOf('\n\n')) {
      messages.push(...(eventsOf(text.slice(0, at)) as JsonObject[]));
      text = text.slice(at + 2);
    }
  });
  res.on('error', () => undefined);
  const nth = (n: number) => until(`message ${n}`, () => messages[n]);
  return { res, messages, nth };
}

test('tasks - those that exist and are the agent’s own are acknowledged, and their changes told', async () => {
  verifies('tasks:notifications');
  const { states, handle } = tasksOf({ a: { status: 'working' }, b: { status: 'working' } });
  await using server = await startTestServer({ handle });
  const a = own('a');
  const asked = [a, strangers, own('never'), 'nonsense', a, own('a', 'another server')];
  const { messages, nth, res } = await opened(server, asked);
  const _meta = { [metaKey.subscriptionId]: 'sub' };
  assert.deepEqual((await nth(0))['params'], { notifications: { taskIds: [a] }, _meta });
  assert.deepEqual([...server.tasks.watched], ['demo one a']);
  // What is not this agent's was not asked for.
  assert.equal(server.requests.length, 2);
  assert.ok(server.requests.every(({ method }) => method === 'tasks/get'));

  states.set('a', { status: 'input_required', inputRequests: { q: {} } });
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'b' });
  server.tasks.changed({ server: 'other', instance: 'one', task: 'a' });
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'a' });
  const asks = { taskId: a, status: 'input_required', inputRequests: { q: {} }, _meta };
  assert.deepEqual(await nth(1), { jsonrpc: '2.0', method: 'notifications/tasks', params: asks });
  // Nothing new: nothing said.
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'a' });
  states.set('a', { status: 'completed', result: { content: [] } });
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'a' });
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'a' });
  assert.deepEqual((await nth(2))['params'], { taskId: a, status: 'completed', result: { content: [] }, _meta });
  assert.equal(messages.length, 3);
  assert.equal(server.tasks.watched.size, 0, 'what is over is not watched');
  res.destroy();
});

test('tasks - what is no longer working is told at once, and nothing between the look and the acknowledgement is lost', async () => {
  verifies('tasks:notifications');
  let looks = 0;
  await using server = await startTestServer({
    handle: tasksOf({
      done: { status: 'completed', result: {} },
      quick() {
        looks += 1;
        if (looks > 1) return { status: 'completed', result: {} };
        // It changes while the first look at it is on its way.
        server.tasks.changed({ server: 'demo', instance: 'one', task: 'quick' });
        return { status: 'working' };
      },
    }).handle,
  });
  const ids = [own('done'), own('quick')];
  const { messages, nth, res } = await opened(server, ids, { toolsListChanged: true });
  await nth(2);
  assert.deepEqual(new Set(messages.slice(1).map(({ params }) => (params as JsonObject)['taskId'])), new Set(ids));
  res.destroy();
});

test('tasks - a stream ends when its last task is known no more', async () => {
  const { states, handle } = tasksOf({ a: { status: 'completed' }, b: { status: 'working' } });
  await using server = await startTestServer({ handle });
  const { nth } = await opened(server, [own('a'), own('b')]);
  await nth(1);
  states.delete('b');
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'b' });
  assert.ok((await nth(2))['result']);
  assert.equal(server.tasks.watched.size, 0);
});

test('tasks - a look that fails is taken again', async () => {
  let fails = 0;
  const { states, handle } = tasksOf({ a: { status: 'working' } });
  await using server = await startTestServer({
    handle: async (request) => {
      if (fails === 0) return handle(request);
      fails -= 1;
      if (fails === 0) return { kind: 'error', error: { code: -32603, message: 'busy' } };
      throw new GatewayError('no_worker', 'away', { retryAfterMs: 10 });
    },
  });
  const { nth, res } = await opened(server, [own('a')]);
  await nth(0);
  fails = 2;
  states.set('a', { status: 'failed', error: { code: 1, message: 'no' } });
  server.tasks.changed({ server: 'demo', instance: 'one', task: 'a' });
  assert.equal(((await nth(1))['params'] as JsonObject)['status'], 'failed');
  res.destroy();
});

test('tasks - an agent without the extension is refused, one with unknown ids alone has nothing to listen for', async () => {
  verifies('tasks:notifications');
  await using server = await startTestServer({ handle: tasksOf({ a: { status: 'working' } }).handle });
  const refused = await send({ port: server.port, ...listen({ taskIds: [own('a')] }, {}) });
  assert.equal(refused.status, 400);
  const { error } = JSON.parse(refused.body) as { error: { code: number; data: unknown } };
  assert.deepEqual([error.code, error.data], [-32021, { requiredCapabilities: tasksRequired }]);
  const nothing = await send({ port: server.port, ...listen({ taskIds: [strangers, own('never')] }) });
  const [acknowledged, ended] = eventsOf(nothing.body) as JsonObject[];
  assert.deepEqual((acknowledged?.['params'] as JsonObject)['notifications'], {});
  assert.ok(ended?.['result']);
  assert.equal(server.tasks.watched.size, 0);
});

test('tasks - one stream watches 100, and lets go of all when its agent closes', async () => {
  const names = Array.from({ length: 120 }, (_, at) => `t${at}`);
  const { handle } = tasksOf(Object.fromEntries(names.map((name) => [name, { status: 'working' }])));
  await using server = await startTestServer({ handle });
  const { nth, res } = await opened(
    server,
    names.map((name) => own(name)),
  );
  const { params } = await nth(0);
  const { taskIds } = (params as JsonObject)['notifications'] as { taskIds: string[] };
  assert.equal(taskIds.length, 100);
  assert.equal(server.tasks.watched.size, 100);
  res.destroy();
  await until('all are let go', () => server.tasks.watched.size === 0);
});
