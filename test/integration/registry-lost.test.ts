import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { auditCommand } from '../chaos/audit-checks.ts';
import { tally } from '../chaos/oracle.ts';
import { openRig, type Rig } from '../chaos/rig.ts';
import { assertPromisesKept, load } from '../chaos/settle.ts';
import { openLegacySession } from '../helpers/rpc.ts';
import { runToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

/** Somebody with every right on NATS. */
interface Operator extends AsyncDisposable {
  readonly streams: JetStreamManager['streams'];
  buckets(): Promise<string[]>;
  /** Its bucket of the default tenant; it need not be there. */
  bucket(name: string): Promise<KV>;
}

async function operatorOf(rig: Rig): Promise<Operator> {
  const nc = await connect({ servers: rig.broker.url });
  const { streams } = await jetstreamManager(nc);
  return {
    streams,
    async buckets() {
      const names: string[] = [];
      for await (const { config } of streams.list()) if (config.name.startsWith('KV_')) names.push(config.name);
      return names;
    },
    bucket: (name) => new Kvm(nc).open(`toolbus_default_${name}`, { allow_direct: true }),
    [Symbol.asyncDispose]: () => nc.close(),
  };
}

async function entriesOf(bucket: KV): Promise<Map<string, string | undefined>> {
  const keys: string[] = [];
  for await (const key of await bucket.keys()) keys.push(key);
  return new Map(await Promise.all(keys.sort().map(async (key) => [key, (await bucket.get(key))?.string()] as const)));
}

const logged = (rig: Rig, words: string) => rig.ingress.logs.filter((line) => line.includes(words)).length;
const placeOf = (text: string) => text.slice(text.indexOf(' by '));

/** Neither a call of a blocked agent nor one at another ingress is among what the oracle knows. */
const isOfCalls = (violation: string) => !violation.includes('this agent is blocked');

test('registry lost - calls go on without it, and what it held is written again by those who know it', async () => {
  verifies('bus:registry-lost');
  await using rig = await openRig({
    workers: 2,
    agents: ['stranger', 'settled'],
    server: { affinity: 'agent', pin: 'warn' },
  });
  const where = ['--config', rig.ingress.configFile, '--nats', rig.broker.url];
  const blocked = await runToolbus(['block', 'agent', 'stranger', ...where]);
  assert.equal(blocked.code, 0, blocked.stderr);
  const isRefused = async (at = rig.ingress) => (await rig.call({}, { agent: 'stranger', at })).status === 403;
  await until('the stranger is out', () => isRefused());
  const over = await openLegacySession(rig.ingress.ready.mcp, { key: rig.keyOf() });
  assert.equal(await over.close(), 200);
  const { text: home } = await rig.call({}, { agent: 'settled' });

  await using operator = await operatorOf(rig);
  const buckets = await operator.buckets();
  assert.equal(buckets.length, 8);
  const pins = await entriesOf(await operator.bucket('pins'));
  assert.ok(pins.size > 0);
  for (const name of buckets) await operator.streams.delete(name);
  assert.deepEqual(tally(await load(rig, { agents: 4, calls: 40 })), { ok: 40 });
  // Longer than a worker is known that is not heard of.
  await delay(6_000);
  await until('both workers are in it again', async () => {
    const known = await rig.instances();
    return known.length === 2 && known.every(({ state }) => state === 'ready');
  });
  await until('all buckets are there', async () => (await operator.buckets()).length === buckets.length);
  await until('the block is written again', async () =>
    (await entriesOf(await operator.bucket('blocks'))).has('agent.stranger'),
  );
  await until('the pins too', async () => (await entriesOf(await operator.bucket('pins'))).size === pins.size);
  assert.deepEqual(await entriesOf(await operator.bucket('pins')), pins, 'as they were, not seen for the first time');
  assert.deepEqual(tally(await load(rig, { agents: 4, calls: 40 })), { ok: 40 });
  assert.ok(await isRefused());

  const later = await rig.addIngress();
  await until('who starts now finds the tools', async () => (await rig.call({}, { at: later })).outcome === 'ok');
  assert.ok(await isRefused(later), 'and knows who is blocked');
  const { text: again } = await rig.call({}, { agent: 'settled', at: later });
  assert.equal(placeOf(again), placeOf(home), 'and where the state of an agent is');
  const ended = await fetch(later.ready.mcp, {
    method: 'DELETE',
    headers: {
      authorization: `Bearer ${rig.keyOf()}`,
      'mcp-session-id': over.id,
      'mcp-protocol-version': '2025-11-25',
    },
  });
  assert.equal(ended.status, 404, 'and which sessions are over');
  await assertPromisesKept({ ...rig, violations: () => rig.violations().filter(isOfCalls) }, 500);
});

test('registry lost - one bucket alone comes back too: whoever starts next finds the tools in it', async () => {
  await using rig = await openRig({ workers: 1 });
  await using operator = await operatorOf(rig);
  await operator.streams.delete('KV_toolbus_default_catalog');
  const catalog = await operator.bucket('catalog');
  await until('the manifest is there again', async () => (await catalog.get('scripted.head')) !== null, 20_000);
  const later = await rig.addIngress();
  await until('its first call', async () => (await rig.call({}, { at: later })).outcome === 'ok');
  await assertPromisesKept(rig, 500);
});

test('cluster secret lost - the ingress writes it again, so that nobody mints another one', async () => {
  verifies('bus:secret-kept');
  await using rig = await openRig({ workers: 1, mintsSecret: true });
  assert.equal((await rig.call()).outcome, 'ok');
  await using operator = await operatorOf(rig);
  const cluster = await operator.bucket('cluster');
  const secret = async () => (await cluster.get('secret'))?.string();
  const before = await secret();
  assert.match(before ?? '', /^[\w-]{43}$/);

  await operator.streams.delete('KV_toolbus_default_cluster');
  await until('the same secret is there again', async () => (await secret()) === before, 20_000);
  // Longer than without calls until it is tried whether NATS stores: that key is in the same bucket.
  await delay(6_000);
  assert.equal((await rig.call()).outcome, 'ok', 'calls are recorded');
  const later = await rig.addIngress();
  const worker = await rig.addWorker();
  await until('the new worker is known', async () => (await rig.instances()).length === 2);
  for (const at of [rig.ingress, later])
    assert.deepEqual(new Set((await Promise.all(calls(rig, at))).map(({ outcome }) => outcome)), new Set(['ok']));
  assert.ok(
    rig.journal().some(({ pid }) => pid !== rig.journal()[0]?.pid),
    'the new worker took some',
  );
  assert.deepEqual(
    [logged(rig, 'cluster_secret'), worker.logs.filter((line) => line.includes('unsigned')).length],
    [0, 0],
  );

  for (const each of [rig.ingress, later]) each.signal('SIGSTOP');
  await cluster.delete('secret');
  assert.equal((await auditCommand(rig, 'hmac', 'value')).code, 2);
  assert.equal(await secret(), '', 'who reads the audit mints none');
  for (const each of [rig.ingress, later]) each.signal('SIGCONT');
  await until('a deleted key is written again too', async () => (await secret()) === before);
  await assertPromisesKept(rig, 500);
});

function calls(rig: Rig, at: Rig['ingress']) {
  return Array.from({ length: 24 }, () => rig.call({ delayMs: 50 }, { at }));
}

test('cluster secret lost - another one in its place is an alarm, and is neither overwritten nor taken over', async () => {
  verifies('bus:secret-kept');
  await using rig = await openRig({ workers: 1, mintsSecret: true });
  await using operator = await operatorOf(rig);
  const cluster = await operator.bucket('cluster');
  const other = 'other-other-other-other-other-other';
  await cluster.put('secret', other);
  await until('the alarm', () => logged(rig, 'cluster_secret') === 1);
  // Longer than it takes to look at the bucket again.
  await delay(6_000);
  assert.equal((await cluster.get('secret'))?.string(), other);
  assert.equal(logged(rig, 'cluster_secret'), 1, 'once');
  assert.equal((await rig.call()).outcome, 'ok', 'its own worker still takes its calls');
  assert.ok(!rig.ingress.logs.some((line) => line.includes(other)));
  await assertPromisesKept(rig, 500);
});
