import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fixtureCommand } from '../helpers/fixture.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { startNats, type TestNats } from '../helpers/nats.ts';
import type { RpcMessage } from '../helpers/rpc.ts';
import { modernLine, type RawShim, startShim, stdioAgents } from '../helpers/stdio.ts';
import { startIngress, startWorker, type Toolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const ann = agentWithKey();
const secrets = [
  'the first secret of this cluster, long enough',
  'another secret: every session of before is unknown',
] as const;
const configWith = (secret: string, previousSecrets: readonly string[] = []) => ({
  servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) },
  agents: { ann: ann.agent },
  cluster: { secret, previousSecrets },
});
const config = configWith(secrets[0]);
let nats: TestNats;
let worker: Awaited<ReturnType<typeof startWorker>>;
let ingress: Toolbus;
let port: string;

before(async () => {
  nats = await startNats();
  // It outlives the change of the secret by which calls are signed.
  worker = await startWorker('scripted', nats.url, { config: configWith(secrets[1], [secrets[0]]) });
  ingress = await startIngress(nats.url, { config });
  port = new URL(ingress.ready.mcp).port;
});

after(async () => {
  await ingress?.[Symbol.asyncDispose]();
  await worker?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const at = () => ({ url: ingress.ready.mcp, key: ann.key });
const run = (id: string, more: object = {}) => ({ name: 'scripted__run', arguments: { id, ...more } });
const textIn = ({ result }: RpcMessage) => (result?.['content'] as { text: string }[] | undefined)?.[0]?.text ?? '';
const heard = (shim: RawShim, method: string) => shim.messages.filter((message) => message.method === method).length;

async function kill(): Promise<void> {
  ingress.signal('SIGKILL');
  await ingress.exited;
}

async function restart(next: object = config): Promise<void> {
  ingress = await startIngress(nats.url, { config: next, args: ['--port', port] });
}

function assertLost({ error }: RpcMessage): void {
  assert.deepEqual(
    [error?.code, error?.data?.['reason'], error?.data?.['executed']],
    [-31010, 'shutting_down', 'unknown'],
  );
}

test('stdio, sessions - a killed gateway costs the calls in flight, what comes meanwhile waits for the next one', async () => {
  verifies('stdio:restart');
  await using shim = startShim(at());
  await shim.initialize();
  const inFlight = shim.request('tools/call', run('lost', { delayMs: 60_000 }));
  await shim.request('tools/call', run('before'));
  await kill();
  assertLost(await inFlight);
  const waiting = shim.request('tools/call', run('meanwhile'));
  await restart();
  assert.match(textIn(await waiting), /^meanwhile by/);
  await until('the client is told to look again', () => heard(shim, 'notifications/tools/list_changed') > 0);
  const changed = heard(shim, 'notifications/tools/list_changed');
  await shim.request('tools/call', { name: 'scripted__change_tools', arguments: {} });
  await until('the event stream stands again', () => heard(shim, 'notifications/tools/list_changed') > changed);
  assert.equal((await shim.end()).code, 0);
});

test('stdio, sessions - a gateway that knows the session no more gets a new one, with its settings', async () => {
  verifies('stdio:restart');
  await using shim = startShim(at());
  await shim.initialize();
  assert.deepEqual((await shim.request('logging/setLevel', { level: 'error' })).error, undefined);
  await kill();
  await restart(configWith(secrets[1]));
  assert.match(textIn(await shim.request('tools/call', run('again'))), /^again by/);
  assert.match(shim.logs.join('\n'), /opened again/);
  assert.equal(shim.messages.filter(({ result }) => result?.['serverInfo'] !== undefined).length, 1);
  assert.equal((await shim.end()).code, 0);
});

test('stdio, 2026-07-28 - calls in flight fail, the next ones and subscriptions go on', async () => {
  verifies('stdio:restart');
  await using shim = startShim(at());
  shim.write(modernLine('listen', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
  await until('it listens', () => heard(shim, 'notifications/subscriptions/acknowledged') === 1);
  shim.write(modernLine(1, 'tools/call', run('lost', { delayMs: 60_000 })));
  shim.write(modernLine(2, 'tools/call', run('before')));
  await shim.response(2);
  await kill();
  assertLost(await shim.response(1));
  shim.write(modernLine(3, 'tools/call', run('meanwhile')));
  await restart();
  assert.match(textIn(await shim.response(3)), /^meanwhile by/);
  await until('the client is told to look again', () => heard(shim, 'notifications/tools/list_changed') > 0);
  const changed = heard(shim, 'notifications/tools/list_changed');
  shim.write(modernLine(4, 'tools/call', { name: 'scripted__change_tools', arguments: {} }));
  await until('the subscription stands again', () => heard(shim, 'notifications/tools/list_changed') > changed);
  assert.equal(heard(shim, 'notifications/subscriptions/acknowledged'), 1);
  const notice = shim.messages.find(({ method }) => method === 'notifications/tools/list_changed');
  assert.deepEqual(notice?.params?.['_meta'], { 'io.modelcontextprotocol/subscriptionId': 'listen' });
  shim.write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'listen' } });
  assert.equal((await shim.end()).code, 0);
});

for (const { name, open } of stdioAgents) {
  test(`stdio with ${name} - an orderly restart is not noticed`, async () => {
    verifies('stdio:restart');
    await using agent = await open(at());
    await agent.call('scripted__run', { id: 'before' });
    const stopping = ingress.stop();
    const meanwhile = agent.call('scripted__run', { id: 'meanwhile' });
    await stopping;
    await restart();
    assert.match((await meanwhile).text, /^meanwhile by/);
    assert.match((await agent.call('scripted__run', { id: 'after' })).text, /^after by/);
  });
}
