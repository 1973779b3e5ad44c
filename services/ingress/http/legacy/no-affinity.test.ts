import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import { until } from '../../../../test/helpers/until.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';
import { ask, notification, openSession, post, request, stream } from './testing/raw-agent.ts';
import { inputRequired, startTwoIngresses, text } from './testing/two-ingresses.ts';

const call = request(1, 'tools/call', { name: 'demo__ask' });
const elicit = { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } };

/** Runs until its caller gives up. */
function untilAborted({ signal }: AgentRequest): Promise<AgentReply> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

function isMethod(method: string): (event: unknown) => boolean {
  return (event) => isJsonObject(event) && event['method'] === method;
}

test('cancel - reaches the ingress that runs the request, and the agent gets no answer', async () => {
  await using cluster = await startTwoIngresses(untilAborted);
  const { headers } = await openSession(cluster.a);
  const other = await openSession(cluster.a);
  const running = post(cluster.a, call, headers);
  await until('the call runs', () => cluster.a.calls.length > 0);
  const cancelled = notification('notifications/cancelled', { requestId: 1, reason: 'enough' });
  assert.equal((await post(cluster.a, cancelled, other.headers)).status, 202);
  assert.equal(cluster.a.calls[0]?.signal.aborted, false, 'another session cancels nothing');
  assert.equal((await post(cluster.b, cancelled, headers)).status, 202);
  const answer = await running;
  assert.deepEqual([answer.status, answer.headers['content-type'], answer.text], [200, 'text/event-stream', '']);
  assert.equal(cluster.a.calls[0]?.signal.aborted, true);
  assert.equal(cluster.cluster.attached, 0, 'nothing follows the session any more');
});

test('question - is asked on the stream of its request and answered through the other ingress', async () => {
  await using cluster = await startTwoIngresses(async ({ params }) => {
    if (params['inputResponses'] === undefined) {
      return inputRequired({ inputRequests: { sure: elicit }, requestState: 'sealed/state' });
    }
    return text(JSON.stringify([params['inputResponses'], params['requestState'], params['name']]));
  });
  const { headers } = await openSession(cluster.a, { capabilities: { elicitation: {} } });
  const mallory = await openSession(cluster.b, { capabilities: { elicitation: {} } });
  const events = await stream(cluster.a, '/mcp', headers, call);
  const question = await events.next(isMethod('elicitation/create'));
  assert.match(String(question['id']), /^q\.INGRESSAAA\.\d+$/);
  assert.deepEqual(question['params'], elicit.params);

  const reply = (content: string) => ({ jsonrpc: '2.0', id: question['id'], result: { action: 'accept', content } });
  await post(cluster.b, reply('forged'), mallory.headers);
  assert.equal((await post(cluster.b, reply('mine'), headers)).status, 202);
  await events.ended;
  const said = JSON.stringify([{ sure: { action: 'accept', content: 'mine' } }, 'sealed/state', 'demo__ask']);
  assert.deepEqual(events.events.at(-1), {
    jsonrpc: '2.0',
    id: 1,
    result: { content: [{ type: 'text', text: said }] },
  });
  const [first, second] = cluster.a.calls;
  assert.notEqual(first?.callId, second?.callId);
});

test('question - that the agent cancels with its request is withdrawn', async () => {
  await using cluster = await startTwoIngresses(async () => inputRequired({ inputRequests: { sure: elicit } }));
  const { headers } = await openSession(cluster.a, { capabilities: { elicitation: {} } });
  const events = await stream(cluster.a, '/mcp', headers, call);
  const question = await events.next(isMethod('elicitation/create'));
  await post(cluster.b, notification('notifications/cancelled', { requestId: 1 }), headers);
  await events.ended;
  assert.equal(cluster.a.calls[0]?.signal.aborted, true);
  assert.equal(events.events.length, 2, 'the question and its withdrawal, but no answer');
  const withdrawn = await events.next(isMethod('notifications/cancelled'));
  assert.deepEqual(withdrawn['params'], { requestId: question['id'], reason: 'the request that asked has ended' });
});

test('log level - set at one ingress holds at the other', async () => {
  await using cluster = await startTwoIngresses(async ({ onNotification }) => {
    for (const level of ['debug', 'error'])
      onNotification({ method: 'notifications/message', params: { level, data: level } });
    return text('done');
  });
  const { headers } = await openSession(cluster.a);
  const wrong = await post(cluster.a, request(1, 'logging/setLevel', { level: 'loud' }), headers);
  assert.match(wrong.text, /-32602/);
  const set = await post(cluster.a, request(1, 'logging/setLevel', { level: 'warning' }), headers);
  assert.deepEqual(set.json, { jsonrpc: '2.0', id: 1, result: {} });
  const events = await stream(cluster.b, '/mcp', headers, call);
  await events.ended;
  assert.deepEqual(events.events[0], notification('notifications/message', { level: 'error', data: 'error' }));
  assert.equal(events.events.length, 2);
  assert.equal(cluster.b.calls[0]?.agent.logLevel, 'warning');
});

test('subscription - made at one ingress is watched where the stream is, in the words of the agent', async () => {
  await using cluster = await startTwoIngresses(async () => text(''));
  const { a, b } = cluster;
  const { headers } = await openSession(a);
  await post(b, request(1, 'resources/subscribe', { uri: 'demo://early' }), headers);
  const events = await stream(a, '/mcp', headers);
  assert.deepEqual([...a.watched], ['demo own://early'], 'subscriptions from before the stream count');
  await post(b, request(2, 'resources/subscribe', { uri: 'demo://late' }), headers);
  const missing = await post(b, request(3, 'resources/subscribe', { uri: 'nobody://' }), headers);
  assert.match(missing.text, /-32002/);
  await until('both are watched', () => a.watched.size >= 2);

  a.updated('demo', { uri: 'own://other' });
  a.updated('elsewhere', { uri: 'own://late' });
  a.updated('demo', { uri: 'own://late/part', title: 'kept' });
  const updated = await events.next(isMethod('notifications/resources/updated'));
  assert.deepEqual(updated['params'], { uri: 'demo://late/part', title: 'kept' });
  assert.equal(events.events.length, 1);

  await post(a, request(4, 'resources/unsubscribe', { uri: 'demo://late' }), headers);
  await until('one is watched', () => a.watched.size <= 1);
  events.drop();
  await until('none is watched', () => a.watched.size === 0);
  assert.equal(cluster.cluster.attached, 0);
});

test('standalone stream - is one for each session, tells of changed lists, and ends with the session', async () => {
  await using cluster = await startTwoIngresses(async () => text(''));
  const { headers } = await openSession(cluster.a);
  const events = await stream(cluster.a, '/mcp', headers);
  assert.equal(events.status, 200);
  for (const ingress of [cluster.a, cluster.b]) assert.equal((await ask(ingress, 'GET', headers)).status, 409);
  cluster.catalog.change('tools');
  await events.next(isMethod('notifications/tools/list_changed'));
  cluster.catalog.change('resourceTemplates');
  await events.next(isMethod('notifications/resources/list_changed'));
  assert.equal(events.events.length, 2);
  await ask(cluster.b, 'DELETE', headers);
  await events.ended;
});

test('deleted session - loses its running requests on every ingress', async () => {
  await using cluster = await startTwoIngresses(untilAborted);
  const { headers } = await openSession(cluster.a);
  const running = post(cluster.a, call, headers);
  await until('the call runs', () => cluster.a.calls.length > 0);
  assert.equal((await ask(cluster.b, 'DELETE', headers)).status, 200);
  assert.equal((await running).text, '');
  assert.equal(cluster.a.calls[0]?.signal.aborted, true);
});
