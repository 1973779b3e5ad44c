import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { until } from '../../../../test/helpers/until.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';
import { type EventStream, post, request, stream } from './testing/raw-agent.ts';
import { startTwoIngresses, type TestIngress, text } from './testing/two-ingresses.ts';

const initialize = request(0, 'initialize', { protocolVersion: '2024-11-05', capabilities: { roots: {} } });

async function handle({ params, signal, agent }: AgentRequest): Promise<AgentReply> {
  if (params['name'] !== 'hang') return text(agent.protocolVersion);
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** Opens a stream and reads the URL to POST to. */
async function connect(ingress: TestIngress, path = '/sse', agent = 'alice') {
  const headers = { authorization: `Bearer ${agent}`, accept: 'text/event-stream' };
  const events = await stream(ingress, path, headers);
  await events.next((event) => typeof event === 'string');
  return { events, url: String(events.events[0]) };
}

function say(ingress: TestIngress, url: string, body: unknown, agent = 'alice') {
  return post(ingress, body, { authorization: `Bearer ${agent}`, accept: '*/*' }, url);
}

function answerTo(events: EventStream, id: number): Promise<JsonObject> {
  return events.next((event) => isJsonObject(event) && event['id'] === id);
}

test('http+sse - answers on the stream what was posted to any ingress', async () => {
  await using cluster = await startTwoIngresses(handle);
  const { events, url } = await connect(cluster.a);
  assert.match(url, /^\/messages\?sessionId=[\w-]+$/);
  for (const ingress of [cluster.b, cluster.a]) {
    assert.equal((await say(ingress, url, initialize)).status, 202);
    const { result } = await answerTo(events, 0);
    assert.ok(isJsonObject(result));
    assert.equal(result['protocolVersion'], '2024-11-05');
  }
  assert.equal((await say(cluster.b, url, request(1, 'tools/call', { name: 'x' }))).status, 202);
  assert.deepEqual((await answerTo(events, 1))['result'], { content: [{ type: 'text', text: '2024-11-05' }] });
  assert.deepEqual(cluster.a.calls[0]?.agent.capabilities, { roots: {} });
  assert.equal(cluster.b.calls.length, 0, 'the holder of the stream does the work');
  events.drop();
});

test('http+sse - takes no message of another agent, of no session, or that is none', async () => {
  await using cluster = await startTwoIngresses(handle);
  const { events, url } = await connect(cluster.a);
  const ping = request(1, 'ping');
  assert.equal((await say(cluster.a, url, ping, 'mallory')).status, 404);
  assert.equal((await say(cluster.b, '/messages?sessionId=made-up', ping)).status, 404);
  assert.equal((await say(cluster.b, url, { jsonrpc: '2.0' })).status, 400);
  assert.equal(events.events.length, 1);
  events.drop();
});

test('http+sse - serves one server at /sse/NAME and nothing at an unknown name', async () => {
  await using cluster = await startTwoIngresses(handle);
  const { events, url } = await connect(cluster.a, '/sse/demo');
  await say(cluster.b, url, request(1, 'tools/call', { name: 'x' }));
  await answerTo(events, 1);
  assert.deepEqual(cluster.a.calls[0]?.endpoint, { kind: 'server', name: 'demo' });
  events.drop();
  assert.equal((await stream(cluster.a, '/sse/nowhere')).status, 404);
});

test('http+sse - ends with its stream: calls are aborted and a later message is 404 everywhere', async () => {
  await using cluster = await startTwoIngresses(handle);
  const { events, url } = await connect(cluster.a);
  await say(cluster.a, url, request(1, 'tools/call', { name: 'hang' }));
  events.drop();
  await until('the call is cancelled', () => cluster.a.calls[0]?.signal.aborted === true);
  const answers = await Promise.all([cluster.a, cluster.b].map((at) => say(at, url, request(2, 'ping'))));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 404],
  );
  assert.equal(cluster.cluster.attached, 0);
});

test('http+sse - of a stopping ingress ends with the last answer it owes', async () => {
  let finish = (_reply: AgentReply) => {};
  await using cluster = await startTwoIngresses(
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  const idle = await connect(cluster.a);
  const busy = await connect(cluster.a);
  await say(cluster.a, busy.url, request(1, 'tools/call', { name: 'x' }));
  cluster.a.stop();
  await idle.events.ended;
  finish(text('owed'));
  await busy.events.ended;
  assert.deepEqual((await answerTo(busy.events, 1))['result'], { content: [{ type: 'text', text: 'owed' }] });
});
