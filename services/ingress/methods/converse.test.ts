import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../shared/errors.ts';
import { verifies } from '../../../test/requirements.ts';
import { agent, manifestOf, statusOf, tool } from '../catalog/testing/fixtures.ts';
import type { AgentRequest } from '../request.ts';
import { errorIn, type Harness, harnessOf, requestOf, resultIn, resultOf } from './testing/harness.ts';

const manifests = [manifestOf('s', { tools: [tool('ask'), tool('other')] })];
const config = { agents: { alice: { allow: ['s__*'] }, bob: { allow: ['s__*'] } } };
const question = { resultType: 'input_required', inputRequests: { q: { method: 'elicitation/create' } } };
const inputResponses = { q: { action: 'accept' } };
const tasking = {
  protocolVersion: '2026-07-28',
  capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } },
};
const asked = { name: 's__ask', arguments: { x: 1 } };

function call(params: object, parts: Partial<AgentRequest> = {}): AgentRequest {
  return requestOf('tools/call', { ...params }, { principal: agent('alice'), ...parts });
}

/** The state that came with a question, and then an upstream that is content. */
async function ask(it: Harness, upstream: object = {}, park?: string): Promise<unknown> {
  it.answer = () => resultOf({ ...question, ...upstream }, park === undefined ? {} : { park });
  const reply = await it.handle(call(asked));
  assert.ok(reply.kind === 'result' && reply.resultType === 'input_required');
  it.answer = () => resultOf({ content: [] });
  return resultIn(reply).requestState;
}

test('questions - the upstream’s own state comes back to it byte for byte', async () => {
  const it = harnessOf(config, manifests);
  const requestState = await ask(it, { requestState: ' own\n"state" ', future: 1 });
  assert.ok(typeof requestState === 'string' && !requestState.includes('own'));
  const reply = await it.handle(call({ ...asked, inputResponses, requestState }));
  assert.equal(reply.kind, 'result');
  assert.deepEqual(it.calls[1]?.params, {
    name: 'ask',
    arguments: { x: 1 },
    inputResponses,
    requestState: ' own\n"state" ',
  });
  assert.equal(it.calls[1]?.instance, 'one');
  assert.equal(it.calls[1]?.park, undefined);
});

test('questions - a held call is answered where it is held, and the upstream sees no state', async () => {
  const it = harnessOf(config, manifests);
  const requestState = await ask(it, {}, 'park-7');
  await it.handle(call({ ...asked, inputResponses, requestState }));
  const retry = it.calls[1];
  assert.deepEqual([retry?.instance, retry?.park], ['one', 'park-7']);
  assert.deepEqual(retry?.params, { name: 'ask', arguments: { x: 1 }, inputResponses });
});

test('questions - no state is invented for one worker; several are told apart by one', async () => {
  const it = harnessOf(config, manifests);
  it.catalog.setInstance(statusOf('s', 'one'));
  assert.equal(await ask(it), undefined);
  await it.handle(call({ ...asked, inputResponses }));
  assert.deepEqual(it.calls[1]?.params, { name: 'ask', arguments: { x: 1 }, inputResponses });
  it.catalog.setInstance(statusOf('s', 'two'));
  const requestState = await ask(it);
  await it.handle(call({ ...asked, inputResponses, requestState }));
  assert.equal(it.calls[3]?.instance, 'one');
  assert.equal(it.calls[3]?.params.requestState, undefined);
});

test('questions - a state that was changed, stolen, outlived or moved is refused, and the upstream is not called', async () => {
  const it = harnessOf(config, manifests);
  const requestState = String(await ask(it, { requestState: 'own' }));
  const retry = { ...asked, inputResponses, requestState };
  const refused = [
    call({ ...retry, requestState: `${requestState.slice(0, -2)}AA` }),
    call({ ...retry, requestState: 'own' }),
    call({ ...retry, requestState: 7 }),
    call(retry, { principal: agent('bob') }),
    call({ ...retry, name: 's__other' }),
    call({ ...retry, arguments: { x: 2 } }),
  ];
  for (const request of refused) assert.equal(errorIn(await it.handle(request)).code, -32602);
  it.now = 2 * 3_600_000;
  assert.equal(errorIn(await it.handle(call(retry))).code, -32602);
  assert.equal(it.calls.length, 1);
});

test('questions - the state works at any endpoint that leads to the same tool', async () => {
  const it = harnessOf(config, manifests);
  const requestState = await ask(it, { requestState: 'own' });
  const retry = call(
    { ...asked, name: 'ask', inputResponses, requestState },
    { endpoint: { kind: 'server', name: 's' } },
  );
  assert.equal((await it.handle(retry)).kind, 'result');
});

test('questions - when the worker is gone a held call is lost, and a stated one goes to another', async () => {
  const it = harnessOf(config, manifests);
  it.catalog.setInstance(statusOf('s', 'one'));
  const held = await ask(it, {}, 'park-7');
  const stated = await ask(it, { requestState: 'own' });
  it.catalog.removeInstance('s', 'one');
  it.catalog.setInstance(statusOf('s', 'two'));
  const before = it.calls.length;
  await assert.rejects(it.handle(call({ ...asked, inputResponses, requestState: held })), {
    reason: 'upstream_lost',
    executed: 'unknown',
  });
  assert.equal(it.calls.length, before);
  await it.handle(call({ ...asked, inputResponses, requestState: stated }));
  assert.equal(it.calls[before]?.instance, undefined);
});

test('questions - no_worker for a held call is not passed on as a promise that nothing ran', async () => {
  const it = harnessOf(config, manifests);
  const requestState = await ask(it, {}, 'park-7');
  it.answer = () => {
    throw new GatewayError('no_worker', 'nobody');
  };
  await assert.rejects(it.handle(call({ ...asked, inputResponses, requestState })), {
    reason: 'upstream_lost',
    executed: 'unknown',
  });
  await assert.rejects(it.handle(call(asked)), { reason: 'no_worker' });
});

test('tasks - the id leads every later request to the worker that has it, for its own agent', async () => {
  const it = harnessOf(config, manifests);
  it.answer = () => resultOf({ resultType: 'task', taskId: 'task-1', status: 'working' });
  const started = resultIn(await it.handle(call(asked)));
  const taskId = String(started.taskId);
  assert.equal(started.status, 'working');
  assert.notEqual(taskId, 'task-1');
  it.answer = () => resultOf({ taskId: 'task-1', status: 'completed', result: {} });
  const request = requestOf('tasks/get', { taskId }, { principal: agent('alice'), agent: tasking });
  assert.deepEqual(resultIn(await it.handle(request)), { taskId, status: 'completed', result: {} });
  const asks = it.calls[1];
  assert.deepEqual(
    [asks?.server, asks?.method, asks?.instance, asks?.params],
    ['s', 'tasks/get', 'one', { taskId: 'task-1' }],
  );
  const stolen = { ...request, principal: agent('bob') };
  assert.equal(errorIn(await it.handle(stolen)).code, -32602);
  assert.equal(
    errorIn(await it.handle(requestOf('tasks/cancel', { taskId: 'task-1' }, { agent: tasking }))).code,
    -32602,
  );
  assert.equal(it.calls.length, 2);
});

test('tasks - who has not declared the extension is told so, and older revisions have no such methods', async () => {
  verifies('tasks:legacy');
  const it = harnessOf(config, manifests);
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const without = { protocolVersion: '2026-07-28', capabilities: {} };
    const refused = errorIn(await it.handle(requestOf(method, { taskId: 'x' }, { agent: without })));
    assert.equal(refused.code, -32021);
    assert.deepEqual(refused.data, { requiredCapabilities: tasking.capabilities });
    const old = { protocolVersion: '2025-11-25', capabilities: tasking.capabilities };
    assert.equal(errorIn(await it.handle(requestOf(method, { taskId: 'x' }, { agent: old }))).code, -32601);
  }
  for (const method of ['tasks/result', 'tasks/list']) {
    assert.equal(errorIn(await it.handle(requestOf(method, {}, { agent: tasking }))).code, -32601);
  }
  assert.equal(it.calls.length, 0);
});

test('tasks - a URL that no agent may see is not passed on', async () => {
  const it = harnessOf(config, manifests);
  it.answer = () => resultOf({ resultType: 'task', taskId: 'task-1', status: 'working' });
  const { taskId } = resultIn(await it.handle(call(asked)));
  const params = { mode: 'url', url: 'javascript:alert(1)', message: 'open it' };
  const inputRequests = { q: { method: 'elicitation/create', params } };
  it.answer = () => resultOf({ taskId: 'task-1', status: 'input_required', inputRequests });
  const request = requestOf('tasks/get', { taskId: taskId ?? null }, { principal: agent('alice'), agent: tasking });
  await assert.rejects(it.handle(request), { reason: 'bad_upstream_output', executed: 'yes' });
});

test('results - what is no JSON where it must be read is bad upstream output', async () => {
  const it = harnessOf(config, manifests);
  it.answer = () => resultOf({}, { resultType: 'input_required', body: Buffer.from('nonsense') });
  await assert.rejects(it.handle(call(asked)), { reason: 'bad_upstream_output' });
});
