import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { verifies } from '../../../test/requirements.ts';
import { callOf, legacyAgent, modernAgent, nodeArgs, openTestUpstream, run, textOf } from './testing/harness.ts';

const timeout = 60_000;
const tasking = { command: process.execPath, args: nodeArgs('task-stdio.ts') };
const withTasks = { ...modernAgent, capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } };

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
      let cancelled = '';
      for (let tries = 0; tries < 50 && cancelled !== '1'; tries += 1) {
        cancelled = textOf((await run(upstream, callOf('cancelled', { agent: withTasks }))).answer);
      }
      assert.equal(cancelled, '1', 'the task of an agent that left is cancelled');
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
