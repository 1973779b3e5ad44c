import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { startTestServer } from '../testing/public-server.ts';
import { eventsOf, modern, open, send } from '../testing/raw-http.ts';

const listen = (notifications: unknown, id: string | number = 'sub') =>
  modern('subscriptions/listen', { id, params: { notifications } });
const marked = { [metaKey.subscriptionId]: 'sub' };
const acknowledged = (notifications: object) => ({
  jsonrpc: '2.0',
  method: 'notifications/subscriptions/acknowledged',
  params: { notifications, _meta: marked },
});
const ended = {
  jsonrpc: '2.0',
  id: 'sub',
  result: { resultType: 'complete', _meta: { ...marked, [metaKey.serverInfo]: { name: 'toolbus', version: '0.0.0' } } },
};

/** Reads events one after another. */
async function* read(res: IncomingMessage): AsyncGenerator<unknown> {
  let text = '';
  for await (const chunk of res) {
    text += String(chunk);
    for (let at = text.indexOf('\n\n'); at !== -1; at = text.indexOf('\n\n')) {
      yield* eventsOf(text.slice(0, at));
      text = text.slice(at + 2);
    }
  }
}

async function next(events: AsyncGenerator<unknown>): Promise<unknown> {
  return (await events.next()).value;
}

test('subscriptions/listen - acknowledges what it can deliver and then delivers that alone', async () => {
  await using server = await startTestServer();
  const wanted = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: false,
    resourceSubscriptions: ['demo://a', 'other://b', 'demo://a'],
  };
  const { res } = await open({ port: server.port, ...listen(wanted) });
  assert.equal(res.headers['content-type'], 'text/event-stream');
  const events = read(res);
  assert.deepEqual(await next(events), acknowledged({ toolsListChanged: true, resourceSubscriptions: ['demo://a'] }));
  assert.deepEqual([...server.watched], ['demo own://a']);

  server.catalog.change('prompts');
  server.catalog.change('resources');
  server.catalog.change('tools');
  server.updated('demo', { uri: 'own://other' });
  server.updated('elsewhere', { uri: 'own://a' });
  server.updated('demo', { uri: 'own://a', title: 'A', _meta: { x: 1 } });
  server.updated('demo', { uri: 'own://a/part' });
  const method = 'notifications/resources/updated';
  assert.deepEqual(await next(events), {
    jsonrpc: '2.0',
    method: 'notifications/tools/list_changed',
    params: { _meta: marked },
  });
  assert.deepEqual(await next(events), {
    jsonrpc: '2.0',
    method,
    params: { uri: 'demo://a', title: 'A', _meta: { x: 1, ...marked } },
  });
  assert.deepEqual(await next(events), { jsonrpc: '2.0', method, params: { uri: 'demo://a/part', _meta: marked } });

  server.stop();
  assert.deepEqual(await next(events), ended);
  assert.equal(await next(events), undefined);
  assert.equal(server.watched.size, 0);
  assert.equal(server.catalog.listeners, 0);
});

test('subscriptions/listen - a changed template is a changed resource list', async () => {
  await using server = await startTestServer();
  const { res } = await open({ port: server.port, ...listen({ resourcesListChanged: true }) });
  const events = read(res);
  await next(events);
  server.catalog.change('resourceTemplates');
  assert.deepEqual(await next(events), {
    jsonrpc: '2.0',
    method: 'notifications/resources/list_changed',
    params: { _meta: marked },
  });
  res.destroy();
});

test('subscriptions/listen - lets go of everything when the agent closes', async () => {
  await using server = await startTestServer();
  const { res } = await open({
    port: server.port,
    ...listen({ toolsListChanged: true, resourceSubscriptions: ['demo://a'] }),
  });
  await next(read(res));
  res.destroy();
  while (server.watched.size > 0 || server.catalog.listeners > 0)
    await new Promise((resolve) => setTimeout(resolve, 5));
});

test('subscriptions/listen - ends when the endpoint is taken from the agent', async () => {
  await using server = await startTestServer();
  const { res } = await open({ port: server.port, ...listen({ toolsListChanged: true }) });
  const events = read(res);
  await next(events);
  server.catalog.remove();
  assert.deepEqual(await next(events), ended);
});

test('subscriptions/listen - ends at once when there is nothing to deliver', async () => {
  await using server = await startTestServer();
  const answer = await send({ port: server.port, ...listen({ promptsListChanged: true }) });
  assert.deepEqual(eventsOf(answer.body), [acknowledged({}), ended]);
});

for (const filter of [
  undefined,
  null,
  [],
  { toolsListChanged: 'yes' },
  { resourceSubscriptions: 'demo://a' },
  { resourceSubscriptions: [1] },
]) {
  test(`subscriptions/listen - refuses the filter ${JSON.stringify(filter)}`, async () => {
    await using server = await startTestServer();
    const answer = await send({ port: server.port, ...listen(filter) });
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.body).error.code, -32602);
  });
}

test('subscriptions/listen - cuts off an agent that does not read', async () => {
  await using server = await startTestServer();
  const { res } = await open({ port: server.port, ...listen({ resourceSubscriptions: ['demo://a'] }) });
  res.pause();
  const cut = new Promise((resolve) => res.on('error', resolve).on('close', resolve));
  const params = { uri: 'own://a', filler: 'x'.repeat(500_000) };
  for (let sent = 0; server.watched.size > 0; sent += 1) {
    assert.ok(sent < 200, 'kept queueing for an agent that does not read');
    server.updated('demo', params);
    await new Promise((resolve) => setImmediate(resolve));
  }
  res.resume();
  await cut;
});
