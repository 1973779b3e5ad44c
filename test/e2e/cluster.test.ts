import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fixtureCommand } from '../helpers/fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { startNats } from '../helpers/nats.ts';
import { callTool, openLegacySession, type RpcAnswer, textOf } from '../helpers/rpc.ts';
import { startIngress, startWorker } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

test('cluster - two ingresses and two workers on three nats-servers go on when one of them is killed', async () => {
  verifies('nats:cluster-survives-node');
  const { key, agent } = agentWithKey();
  const config = {
    servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) },
    agents: { tester: agent },
    cluster: { secret: 'cluster-cluster-cluster-cluster-cluster' },
  };
  await using nats = await startNats(3);
  await using first = await startIngress(nats.url, { config });
  await using second = await startIngress(nats.url, { config });
  await using _one = await startWorker('scripted', nats.url, { config });
  await using _two = await startWorker('scripted', nats.url, { config });
  const endpoints = [first.ready.mcp, second.ready.mcp];

  const callThrough = (mcp: string, id: string): Promise<RpcAnswer> => callTool(mcp, 'scripted__run', { id }, { key });
  await until('both ingresses know the server', async () => {
    const answers = await Promise.all(endpoints.map((mcp) => callThrough(mcp, 'ready')));
    return answers.every((answer) => textOf(answer).startsWith('ready by'));
  });
  const workers = new Set<string>();
  await until('both workers answer', async () => {
    for (const mcp of endpoints) workers.add(textOf(await callThrough(mcp, 'who')).split(' by ')[1] ?? '');
    return workers.size === 2;
  });
  const session = await openLegacySession(endpoints[0] ?? '', { key });

  nats.kill(0);
  // Whoever was connected to the killed node needs a moment to go to another; nothing may be lost for good.
  await until('calls go on through both ingresses', async () => {
    const answers = await Promise.all(endpoints.map((mcp) => callThrough(mcp, 'after')));
    return answers.every((answer) => textOf(answer).startsWith('after by'));
  });
  let answered = 0;
  for (let count = 0; count < 40; count += 1) {
    const answer = await callThrough(endpoints[count % 2] ?? '', `go-on-${count}`);
    if (textOf(answer).startsWith(`go-on-${count} by`)) answered += 1;
    await delay(25);
  }
  assert.equal(answered, 40);
  const { response } = await session.request('tools/call', { name: 'scripted__run', arguments: { id: 'session' } });
  assert.ok(response?.result, 'the session from before goes on');
});
