import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import fc from 'fast-check';
import { pino } from 'pino';
import { connectBus } from '../../shared/bus/connect.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { agentWithKey } from '../helpers/keys.ts';
import { callTool, openLegacySession, textOf } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { startAnsweringUpstream } from './answering-upstream.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { echoTool } from './hostile.ts';
import { mutatedJson } from './mutations.ts';
import { bounded } from './scale.ts';

const { key, agent } = agentWithKey();
const subjects = subjectsOf('default');

/** A message as processes send it: a line of JSON, and a body or none. */
interface Sample {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Writes down what crosses NATS, one message for each shape of subject and kind. */
function collectSamples(nc: NatsConnection): Map<string, Sample> {
  const samples = new Map<string, Sample>();
  nc.subscribe('tb.v1.>', {
    callback: (_error, { subject, data }) => {
      const head = Buffer.from(data.subarray(0, 40)).toString('latin1');
      const kind = /"k":"(\w+)"/.exec(head)?.[1] ?? '';
      samples.set(`${subject.split('.').slice(3, 5).join('.')} ${kind}`, { subject, data });
    },
  });
  return samples;
}

/** The bytes of a message with its head or its body changed, cut off, or replaced. */
function spoilt({ data }: Sample): fc.Arbitrary<Uint8Array> {
  const text = Buffer.from(data).toString('utf8');
  const end = text.indexOf('\n');
  const head = end === -1 ? text : text.slice(0, end);
  const body = end === -1 ? '' : text.slice(end);
  const values = mutatedJson(head);
  return fc.oneof(
    { weight: 6, arbitrary: values.map((value) => Buffer.from(value + body)) },
    { weight: 1, arbitrary: fc.nat(data.length).map((size) => data.subarray(0, size)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 2, arbitrary: mutatedJson(body.trim() || '{}').map((value) => Buffer.from(`${head}\n${value}`)) },
  );
}

async function assertServes(gateway: Gateway): Promise<void> {
  const said = await until(
    'a call is answered again',
    async () => {
      const answer = await callTool(`${gateway.origin}/mcp`, 'up__echo', { still: 'here' }, { key });
      return answer.response?.result && textOf(answer);
    },
    30_000,
  );
  assert.equal(said, '{"still":"here"}');
}

interface Surroundings extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly nc: NatsConnection;
}

async function start(): Promise<Surroundings> {
  const dataDir = mkdtempSync(join(tmpdir(), 'toolbus-bus-fuzz-'));
  const upstream = await startAnsweringUpstream({ tools: [echoTool('echo')], delayMs: () => 5 });
  const gateway = await startGateway({ servers: { up: { url: upstream.url } }, agents: { a: agent } }, { dataDir });
  const nc = await connectBus({ url: gateway.nats.url, name: 'fuzz', log: pino({ level: 'silent' }) });
  return {
    gateway,
    nc,
    async [Symbol.asyncDispose]() {
      await nc.close();
      await gateway[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

test('bus fuzz - no message on any subject ends an ingress or a worker', async () => {
  verifies('fuzz:bus');
  await using surroundings = await start();
  const { gateway, nc } = surroundings;
  const samples = collectSamples(nc);
  const mcp = `${gateway.origin}/mcp`;
  const session = await openLegacySession(mcp, { key });
  await session.request('tools/call', { name: 'up__echo', arguments: {} });
  for (let turn = 0; turn < 3; turn += 1) await callTool(mcp, 'up__echo', { padding: 'x'.repeat(700_000) }, { key });
  await until('there is traffic', () => samples.size >= 5);
  const ingress = gateway.ingress.core.id;
  const instance = gateway.ingress.core.catalog.instances('up')[0]?.instance ?? '';
  const everywhere = [
    subjects.tool('up', 'echo'),
    subjects.rpc('up', 'ping'),
    subjects.instanceCall('up', instance),
    subjects.instanceControl('up', instance),
    subjects.reply(ingress, 'alive'),
    subjects.reply(ingress, 'free'),
    subjects.answers(ingress),
    subjects.event('up', 'resource_updated'),
    subjects.limits(),
    subjects.session(session.id),
    subjects.ask('streams', ingress),
    subjects.ask('standalone', session.id),
    subjects.audit('forged'),
    subjects.checkpoint('forged'),
    '$SRV.PING',
    '$SRV.INFO',
  ];
  const known = [...samples.values()];
  const message = fc.constantFrom(...known).chain((sample) =>
    fc.record({
      // To where it was seen, to the calls that are running now, or to where it does not belong.
      subject: fc.oneof(
        fc.constant(sample.subject),
        fc.constantFrom(...everywhere),
        fc.nat(400).map((count) => subjects.reply(ingress, count.toString(36))),
      ),
      data: spoilt(sample),
      reply: fc.option(fc.constantFrom(subjects.reply(ingress, 'x'), 'somewhere.else', ''), { nil: undefined }),
    }),
  );
  const calls = new AbortController();
  const traffic = (async () => {
    while (!calls.signal.aborted) {
      // A forged answer may come first; no answer at all may not.
      await callTool(mcp, 'up__echo', { n: 1 }, { key, signal: AbortSignal.timeout(90_000) });
    }
  })();
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 20, maxLength: 60 }), async (messages) => {
      for (const { subject, data, reply } of messages) nc.publish(subject, data, reply ? { reply } : {});
      await nc.flush();
      await delay(5);
    }),
    bounded(60),
  );
  calls.abort();
  await traffic;
  const broken = gateway.logs.filter((line) => line.includes('nats connection status'));
  assert.deepEqual(broken, [], 'no message cost anybody the connection');
  await assertServes(gateway);
  assert.ok(Array.isArray(await readAudit(gateway.nats.url)), 'forged packs in the audit hide none of the others');
});

test('bus fuzz - no value in any bucket ends an ingress or a worker', async () => {
  verifies('fuzz:bus');
  await using surroundings = await start();
  const { gateway, nc } = surroundings;
  await (await openLegacySession(`${gateway.origin}/mcp`, { key })).request('logging/setLevel', { level: 'debug' });
  const stores = await storesOf(nc);
  // The secret is read once, at the start.
  const entries = stores.filter(({ bucket }) => !bucket.endsWith('_cluster'));
  assert.ok(entries.length >= 3, 'there are entries to spoil');
  const change = fc.constantFrom(...entries).chain((entry) =>
    fc.record({
      entry: fc.constant(entry),
      key: fc.oneof(
        { weight: 3, arbitrary: fc.constant(entry.key) },
        fc.constantFrom(
          'up.x',
          'up.head',
          'x.head',
          's.x',
          'r.x',
          'tool.x',
          'up.echo.more',
          '__proto__',
          'constructor.head',
        ),
      ),
      data: spoilt({ subject: '', data: entry.value }),
    }),
  );
  const kvm = new Kvm(jetstream(nc));
  const opened = new Map(
    await Promise.all(
      [...new Set(stores.map(({ bucket }) => bucket))].map(async (bucket) => [bucket, await kvm.open(bucket)] as const),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 20 }), async (changes) => {
      await Promise.all(changes.map(({ entry, key: at, data }) => opened.get(entry.bucket)?.put(at, data)));
      const answer = await callTool(`${gateway.origin}/mcp`, 'up__echo', {}, { key });
      assert.ok(answer.response, `${answer.status} ${answer.text}`);
    }),
    bounded(30),
  );
  for (const { bucket, key: at, value } of entries) await opened.get(bucket)?.put(at, value);
  for (const name of ['x.head', 'constructor.head', '__proto__'])
    for (const kv of opened.values()) await kv.delete(name);
  for (const [bucket, kv] of opened)
    if (/_(blocks|pins)$/.test(bucket)) for await (const name of await kv.keys()) await kv.delete(name);
  await assertServes(gateway);
});

interface Stored {
  readonly bucket: string;
  readonly key: string;
  readonly value: Uint8Array;
}

/** Every value of every bucket. */
async function storesOf(nc: NatsConnection): Promise<Stored[]> {
  const stored: Stored[] = [];
  const kvm = new Kvm(jetstream(nc));
  for await (const { config } of (await jetstreamManager(nc)).streams.list()) {
    if (!config.name.startsWith('KV_')) continue;
    const bucket = config.name.slice(3);
    const kv = await kvm.open(bucket);
    for await (const name of await kv.keys()) {
      const entry = await kv.get(name);
      if (entry !== null) stored.push({ bucket, key: name, value: entry.value });
    }
  }
  return stored;
}
