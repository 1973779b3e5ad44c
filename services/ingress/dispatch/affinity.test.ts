import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { createAffinityRecords } from '../../../shared/bus/affinity-records.ts';
import { type Buckets, openBuckets } from '../../../shared/bus/buckets.ts';
import { connectBus, type NatsConnection } from '../../../shared/bus/connect.ts';
import { startTestBroker, type TestBroker } from '../../../shared/bus/testing/broker.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { statusOf } from '../catalog/testing/fixtures.ts';
import type { Dispatch } from '../methods/dispatch.ts';
import { requestOf } from '../methods/testing/harness.ts';
import { affinityKey, withAffinity } from './affinity.ts';

const log = pino({ level: 'silent' });
let broker: TestBroker;
let nc: NatsConnection;
let buckets: Buckets;

before(async () => {
  broker = await startTestBroker();
  nc = await connectBus({ url: broker.url, name: 'affinity test', log });
  buckets = await openBuckets(nc, 'affinity');
});

after(async () => {
  await nc?.close();
  await broker?.close();
});

/** Ingresses that agree over one broker. What they send goes to `sent`; instances named in `dead` answer nothing. */
async function build(server: string, instances: InstanceStatus[], ingresses = 2) {
  const sent: (string | undefined)[] = [];
  const dead = new Set<string>();
  const records = Array.from({ length: ingresses }, () => createAffinityRecords(buckets, log));
  await Promise.all(records.map(({ caughtUp }) => caughtUp));
  const dispatch: Dispatch = async ({ instance = 'any' }) => {
    sent.push(instance);
    if (dead.has(instance)) throw new GatewayError('no_worker', 'nobody there');
    return { kind: 'error', error: { code: 1, message: '' }, instance, timing: { totalMs: 0, upstreamMs: 0 } };
  };
  const doors = records.map((each) => withAffinity({ dispatch, records: each, instances: () => instances }));
  let next = 0;
  return {
    sent,
    dead,
    instances,
    /** Through the next ingress in turn. */
    async call(affinity: string | undefined, more: Partial<Call> = {}): Promise<string> {
      const door = doors[next++ % doors.length]!;
      const reply = await door(
        { ...plain, server, affinity, ...more },
        { signal: new AbortController().signal, onNotification() {} },
      );
      return reply.instance;
    },
    [Symbol.dispose]: () => {
      for (const each of records) each.close();
    },
  };
}

const plain: Call = {
  id: 'call',
  server: '',
  method: 'tools/call',
  params: {},
  agent: { protocolVersion: '2026-07-28', capabilities: {} },
  principal: { id: 'alice', method: 'key' },
  wantsProgress: false,
  timeoutMs: 1_000,
  headers: {},
};
const ready = (instance: string, more: Partial<InstanceStatus> = {}) => ({ ...statusOf('any', instance), ...more });
const lost = { reason: 'no_worker', executed: 'no' };

test('affinity - the calls of a key go to one instance through any ingress, other keys elsewhere', async () => {
  using it = await build('one', [ready('a'), ready('b')]);
  const first = await it.call('alice');
  for (let n = 0; n < 6; n += 1) assert.equal(await it.call('alice'), first);
  assert.notEqual(await it.call('bob'), first, 'the one with fewer keys');
  assert.equal(await it.call(undefined), 'any');
  assert.equal(await it.call('alice', { instance: 'named', park: 'p' }), 'named');
});

test('affinity - ingresses that meet a key at the same moment agree', async () => {
  using it = await build('race', [ready('a'), ready('b'), ready('c')], 4);
  for (let round = 0; round < 5; round += 1) {
    const places = await Promise.all(Array.from({ length: 12 }, () => it.call(`key-${round}`)));
    assert.equal(new Set(places).size, 1, places.join());
  }
});

test('affinity - a new instance takes no key away', async () => {
  using it = await build('grows', [ready('a')]);
  assert.equal(await it.call('alice'), 'a');
  it.instances.push(ready('b'));
  assert.equal(await it.call('alice'), 'a');
  assert.equal(await it.call('bob'), 'b');
});

test('affinity - when the instance is gone one call says so, then another instance is the one', async () => {
  using it = await build('gone', [ready('a'), ready('b')], 3);
  const first = await it.call('alice');
  const sent = it.sent.length;
  it.instances.splice(0, 2, ...it.instances.filter(({ instance }) => instance !== first));
  await assert.rejects(it.call('alice'), lost);
  assert.equal(it.sent.length, sent, 'nothing was sent');
  const second = await it.call('alice');
  assert.notEqual(second, first);
  for (let n = 0; n < 6; n += 1) assert.equal(await it.call('alice'), second);
});

test('affinity - an instance that died and whose heartbeat still stands is not chosen again by any ingress', async () => {
  using it = await build('silent', [ready('a'), ready('b')], 3);
  const first = await it.call('alice');
  it.dead.add(first);
  await assert.rejects(it.call('alice'), lost);
  // The other ingresses hear of it from the bucket.
  await sleep(300);
  for (let n = 0; n < 6; n += 1) assert.notEqual(await it.call('alice'), first);
});

test('affinity - a child that was started again has lost the state, a remote server that was reached again has not', async () => {
  using it = await build('child', [ready('a', { transport: 'stdio', restarts: 0 })]);
  assert.equal(await it.call('alice'), 'a');
  it.instances[0] = ready('a', { transport: 'stdio', restarts: 1 });
  await assert.rejects(it.call('alice'), lost);
  assert.equal(await it.call('alice'), 'a');
  using remote = await build('remote', [ready('a', { transport: 'http', restarts: 0 })]);
  assert.equal(await remote.call('alice'), 'a');
  remote.instances[0] = ready('a', { transport: 'http', restarts: 1 });
  assert.equal(await remote.call('alice'), 'a');
});

test('affinity - where nobody can serve, the dispatcher says why, and the key keeps its place', async () => {
  using it = await build('none', [ready('a', { state: 'failed' })]);
  assert.equal(await it.call('alice'), 'any');
  it.instances[0] = ready('a');
  assert.equal(await it.call('alice'), 'a');
});

test('affinity - a key is an agent, or one of its sessions', () => {
  const of = (id: string, session?: string) =>
    requestOf('tools/call', {}, { principal: { id, method: 'key' }, session });
  assert.equal(affinityKey('none', of('alice', 's1')), undefined);
  assert.equal(affinityKey('agent', of('alice', 's1')), affinityKey('agent', of('alice', 's2')));
  assert.notEqual(affinityKey('session', of('alice', 's1')), affinityKey('session', of('alice', 's2')));
  assert.notEqual(affinityKey('session', of('alice', 's1')), affinityKey('session', of('bob', 's1')));
  assert.equal(affinityKey('session', of('alice')), affinityKey('agent', of('alice')));
});
