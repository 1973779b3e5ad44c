import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentContext } from '../../../shared/mcp/call.ts';
import { verifies } from '../../../test/requirements.ts';
import {
  callOf,
  legacyAgent,
  modernAgent,
  nodeArgs,
  openTestUpstream,
  run,
  startServer,
  textOf,
} from './testing/harness.ts';
import type { Upstream } from './upstream.ts';

const timeout = 60_000;
const tasking = { command: process.execPath, args: nodeArgs('task-stdio.ts') };
const legacyTasking = { ...tasking, args: [...tasking.args, 'legacy'], era: 'legacy' };
const withTasks = { ...modernAgent, capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } };

type Counts = Readonly<Record<string, number>>;

/** What the server has been asked for, once the condition holds. */
async function until(upstream: Upstream, what: string, holds: (counts: Counts) => boolean): Promise<Counts> {
  let counts: Counts = {};
  for (const end = Date.now() + 15_000; Date.now() < end; await delay(50)) {
    counts = JSON.parse(textOf((await run(upstream, callOf('counts', { agent: withTasks }))).answer)) as Counts;
    if (holds(counts)) return counts;
  }
  throw new Error(`${what}: ${JSON.stringify(counts)}`);
}

/** Makes a call and leaves before its answer. */
async function abandon(upstream: Upstream, tool: string, agent: AgentContext): Promise<void> {
  const leaving = new AbortController();
  const left = run(upstream, callOf(tool, { agent }), leaving.signal);
  await delay(150);
  leaving.abort();
  await assert.rejects(left);
}

test('tasks - an agent that has them gets the task and asks for it itself', { timeout }, async () => {
  verifies('tasks:pass-through');
  await using opened = await openTestUpstream(tasking);
  await opened.state('ready');
  const { answer } = await run(opened.upstream, callOf('works', { agent: withTasks }));
  assert.ok(answer.kind === 'result' && answer.resultType === 'task');
  const taskId = String(answer.result['taskId']);
  const get = callOf('', { agent: withTasks, method: 'tasks/get', target: taskId, params: { taskId } });
  const state = await run(opened.upstream, get);
  assert.equal(state.answer.kind === 'result' && state.answer.result['status'], 'working');
});

for (const agent of [legacyAgent, modernAgent]) {
  test(
    `tasks - an agent of ${agent.protocolVersion} without them gets what comes of the task`,
    { timeout },
    async () => {
      verifies('tasks:pass-through');
      await using opened = await openTestUpstream(tasking);
      await opened.state('ready');
      const { upstream } = opened;
      assert.equal(textOf((await run(upstream, callOf('works', { agent }))).answer), 'done');
      const failed = await run(upstream, callOf('fails', { agent }));
      assert.equal(failed.answer.kind === 'error' && failed.answer.error.code, -32050);

      const asking = callOf('asks', { agent });
      const { answer } = await run(upstream, asking);
      assert.ok(answer.kind === 'result' && answer.resultType === 'input_required');
      const { requestState = null } = answer.result;
      const params = { ...asking.params, requestState, inputResponses: { who: { action: 'accept' } } };
      assert.equal(textOf((await run(upstream, { ...asking, params })).answer), '{"who":{"action":"accept"}}');

      const leaving = new AbortController();
      const endless = run(upstream, callOf('endless', { agent }), leaving.signal);
      setTimeout(() => leaving.abort(), 100);
      await assert.rejects(endless);
      await until(upstream, 'the task of an agent that left is cancelled', ({ cancelled }) => cancelled === 1);
    },
  );
}

test('tasks - a tool of 2025-11-25 that runs as a task only is called as any other', { timeout }, async () => {
  const file = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
  await using opened = await openTestUpstream({ command: process.execPath, args: [file, 'stdio'], timeoutMs: 30_000 });
  await opened.state('ready');
  const call = callOf('simulate-research-query', { timeoutMs: 30_000 }, { topic: 'tasks', ambiguous: true });
  const { answer } = await run(opened.upstream, call, AbortSignal.timeout(30_000));
  assert.ok(answer.kind === 'result' && answer.resultType === 'input_required' && answer.park !== undefined);
  const [question = ''] = Object.keys(answer.result['inputRequests'] ?? {});
  const inputResponses = { [question]: { action: 'accept', content: { interpretation: 'the one' } } };
  const retry = { ...call, params: { ...call.params, inputResponses }, park: answer.park };
  assert.match(textOf((await run(opened.upstream, retry, AbortSignal.timeout(30_000))).answer), /tasks \(the one\)/);
});

for (const [how, server, agent] of [
  ['by an agent that has tasks', tasking, withTasks],
  ['by an agent without them', tasking, modernAgent],
  ['at a server of 2025-11-25', legacyTasking, legacyAgent],
] as const) {
  test(`tasks - one that is announced after its call was given up ${how} is cancelled once`, { timeout }, async () => {
    verifies('tasks:abandoned');
    await using opened = await openTestUpstream(server);
    await opened.state('ready');
    const { upstream } = opened;
    await abandon(upstream, 'late', agent);
    await until(upstream, 'the task is cancelled', ({ cancelled }) => cancelled === 1);
    await delay(500);
    const counts = await until(upstream, 'nothing more is asked for', () => true);
    assert.equal(counts['tasks/cancel'], 1);
    assert.equal(counts['tasks/get'] ?? counts['tasks/result'], undefined);
    // 2025-11-25, basic/utilities/cancellation: tasks/cancel, and not this.
    if (agent === legacyAgent) assert.equal(counts['notifications/cancelled'], undefined);
  });
}

test(
  'tasks - over HTTP a call that may become one is kept open for a moment, every other is closed at once',
  { timeout },
  async () => {
    verifies('tasks:abandoned');
    await using server = await startServer([...tasking.args, 'declared', 'http']);
    await using opened = await openTestUpstream({ url: server.url, era: 'modern' });
    await opened.state('ready');
    const { upstream } = opened;
    await abandon(upstream, 'late', withTasks);
    const counts = await until(upstream, 'the task is cancelled', ({ cancelled }) => cancelled === 1);
    assert.equal(counts['closed'], undefined);
    await abandon(upstream, 'never', modernAgent);
    await until(upstream, 'an agent without tasks: closed', ({ closed }) => closed === 1);
    await abandon(upstream, 'never', withTasks);
    await until(upstream, 'no answer came in time: closed', ({ closed }) => closed === 2);
  },
);

test('tasks - what an abandoned one asks reaches no other agent', { timeout }, async () => {
  verifies('tasks:abandoned');
  await using opened = await openTestUpstream(legacyTasking);
  await opened.state('ready');
  const { upstream } = opened;
  await abandon(upstream, 'late-question', legacyAgent);
  const other = new AbortController();
  const waiting = run(upstream, callOf('never', { agent: legacyAgent }), other.signal).then(
    () => assert.fail('the other agent was asked'),
    () => undefined,
  );
  await until(upstream, 'the question is refused', (counts) =>
    Object.keys(counts).some((what) => what.startsWith('answered') && what.includes('"error"')),
  );
  other.abort();
  await waiting;
});

for (const [how, mode] of [
  ['tells of them', ['declared']],
  ['has to be asked for them', []],
] as const) {
  test(`tasks - changes of watched ones are noticed at a server that ${how}`, { timeout }, async () => {
    verifies('tasks:notifications');
    await using opened = await openTestUpstream({ ...tasking, args: [...tasking.args, ...mode] });
    await opened.state('ready');
    const { upstream, changedTasks } = opened;
    const start = async () => {
      const { answer } = await run(upstream, callOf('manual', { agent: withTasks }));
      return answer.kind === 'result' ? String(answer.result['taskId']) : assert.fail();
    };
    const watched = await start();
    await upstream.setWatchedTasks(new Set([watched]));
    const unwatched = await start();
    // One that must be asked for is told of when it is first seen.
    if (mode.length === 0) await opened.until(() => changedTasks[0]);
    const before = changedTasks.length;
    await run(upstream, callOf('finish', { agent: withTasks }));
    await opened.until(() => changedTasks[before]);
    assert.deepEqual(new Set(changedTasks), new Set([watched]));
    assert.notEqual(watched, unwatched);
    const asked = (await until(upstream, 'counted', () => true))['tasks/get'] ?? 0;
    await delay(1_500);
    const counts = await until(upstream, 'counted', () => true);
    assert.equal(counts['tasks/get'] ?? 0, asked, 'a task that is over is not asked for');
    if (mode.length === 0) return;
    assert.equal(asked, 0);
    assert.equal(counts['listened {"extensions":{"io.modelcontextprotocol/tasks":{}}}'], 1);
  });
}
