import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { manifestOf, statusOf, tool } from '../../services/ingress/catalog/testing/fixtures.ts';
import { createAffinityRecords } from '../../shared/bus/affinity-records.ts';
import { createAnnouncer } from '../../shared/bus/announcer.ts';
import { auditMarks } from '../../shared/bus/audit-marks.ts';
import { type BlockEvent, followBlocks, putBlock } from '../../shared/bus/blocks.ts';
import { type Buckets, openBuckets } from '../../shared/bus/buckets.ts';
import { clusterSecret } from '../../shared/bus/cluster-secret.ts';
import { connectBus, type NatsConnection } from '../../shared/bus/connect.ts';
import { createPin, followPins, type Pin } from '../../shared/bus/pins.ts';
import { publishManifest } from '../../shared/bus/published-manifests.ts';
import { followRegistry } from '../../shared/bus/registry.ts';
import { createBusSessions } from '../../shared/bus/sessions.ts';
import { subjectsOf } from '../../shared/bus/subjects.ts';
import type { Manifest } from '../../shared/mcp/manifest.ts';
import { type Broker, startBroker } from '../chaos/broker.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const log = pino({ level: 'silent' });
const tenant = 'default';
const most = 3;

interface Writer {
  readonly nc: NatsConnection;
  readonly buckets: Buckets;
}

let broker: Broker;
/** Two processes, as far as NATS can tell. */
let writers: readonly [Writer, Writer];

before(async () => {
  broker = await startBroker();
  const open = async (name: string): Promise<Writer> => {
    const nc = await connectBus({ url: broker.url, name, log });
    return { nc, buckets: await openBuckets(nc, tenant) };
  };
  writers = await Promise.all([open('one'), open('two')]);
});

after(async () => {
  await Promise.all((writers ?? []).map(({ nc }) => nc.close()));
  await broker?.[Symbol.asyncDispose]();
});

/** The same by both at once. */
const both = <Value>(act: (writer: Writer, at: 0 | 1) => Promise<Value>): Promise<[Value, Value]> =>
  Promise.all([act(writers[0], 0), act(writers[1], 1)]);

test('two writers - what two ingresses set for one session at once is all set, each after three looks at most', async () => {
  verifies('bus:two-writers');
  const subjects = subjectsOf(tenant);
  const sessions = writers.map(({ nc, buckets }, at) =>
    createBusSessions<{ set: string[] }>({ nc, subjects, tenant, buckets, ingress: `i${at}`, log }),
  );
  try {
    await Promise.all(sessions.map(({ caughtUp }) => caughtUp));
    for (let round = 0; round < 20; round += 1) {
      const looks = await both(async (_writer, at) => {
        let tries = 0;
        await sessions[at]?.changeState(`session${round}`, (state) => {
          tries += 1;
          return { set: [...(state?.set ?? []), `by ${at}`] };
        });
        return tries;
      });
      assert.ok(Math.max(...looks) <= most, `${looks}`);
      const state = await sessions[0]?.freshState(`session${round}`);
      assert.deepEqual(state?.set.toSorted(), ['by 0', 'by 1']);
    }
    // The other one has not heard of the end yet, or has it in its hands: either way nothing stands up again.
    await both((_writer, at) =>
      at === 0
        ? (sessions[0]?.revoke('session0') ?? Promise.resolve())
        : (sessions[1]?.changeState('session0', () => ({ set: ['late'] })) ?? Promise.resolve()),
    );
    await sessions[1]?.changeState('session0', () => ({ set: ['later'] }));
    assert.notEqual((await writers[0].buckets.sessions.get('s.session0'))?.operation, 'PUT');
    await until('both know that it is over', () => sessions.every(({ revoked }) => revoked('session0')));
  } finally {
    for (const each of sessions) each.close();
  }
});

test('two writers - one instance gets the state of an agent, and who knows an older one gives way', async () => {
  verifies('bus:two-writers');
  const records = writers.map(({ buckets }) => createAffinityRecords(buckets, log));
  try {
    await Promise.all(records.map(({ caughtUp }) => caughtUp));
    for (let round = 0; round < 20; round += 1) {
      const key = `agent${round}`;
      const at = (n: number) => ({ at: { instance: `instance${n}`, restarts: 0 } });
      const first = await both(async (_writer, n) => records[n]?.replace('server', key, undefined, at(n)));
      assert.equal(first.filter((each) => each?.mine).length, 1);
      assert.deepEqual(first[0]?.record?.at, first[1]?.record?.at, 'both go to the same one');
      const before = first[0]?.record;
      const then = await both(async (_writer, n) => records[n]?.replace('server', key, before, at(n + 2)));
      assert.equal(then.filter((each) => each?.mine).length, 1);
      assert.deepEqual(then[0]?.record?.at, then[1]?.record?.at);
      const stale = await records[0]?.replace('server', key, before, at(9));
      assert.deepEqual([stale?.mine, stale?.record?.at], [false, then[0]?.record?.at]);
    }
  } finally {
    for (const each of records) each.close();
  }
});

test('two writers - the first pin, the first secret and the first mark of the audit stand', async () => {
  verifies('bus:two-writers');
  const pin = (n: number): Pin => ({ server: 's', tool: 't', hash: `${n}`.repeat(64), by: 'first seen', at: n });
  const created = await both(({ buckets }, n) => createPin(buckets, pin(n)));
  assert.deepEqual(created.toSorted(), [false, true]);
  const pinned: Pin[] = [];
  const pins = followPins({ buckets: writers[0].buckets, log, onPin: (one) => pinned.push(one) });
  await pins.caughtUp;
  pins.close();
  assert.deepEqual(
    pinned.map(({ at }) => at),
    [created.indexOf(true)],
  );
  const [one, two] = await both(({ buckets }) => clusterSecret(buckets, ''));
  assert.equal(one.secret, two.secret);
  const marks = await both(({ buckets }, n) => auditMarks(buckets).first({ created: `stream ${n}` }));
  assert.deepEqual(marks[0], marks[1]);
  assert.deepEqual(await auditMarks(writers[0].buckets).get(), marks[0]);
});

test('two writers - workers with different tools publish at once, and both manifests can be read', async () => {
  verifies('bus:two-writers');
  const manifest = (round: number, n: number): Manifest => ({
    ...manifestOf('twofold', { tools: [tool(`common${round}`), tool(`only${n}`)] }),
    hash: `round${round}writer${n}`,
  });
  for (let round = 0; round < 10; round += 1) {
    await both(({ buckets }, n) => publishManifest(buckets, { manifest: manifest(round, n), worker: `twofold.w${n}` }));
    const { catalog } = writers[0].buckets;
    const head = JSON.parse((await catalog.get('twofold.head'))?.string() ?? '{}') as { hash?: string };
    assert.match(head.hash ?? '', new RegExp(`^round${round}writer`));
    for (const n of [0, 1]) assert.ok(await catalog.get(`twofold.round${round}writer${n}.0`), 'is not removed');
  }
  let offered: readonly string[] = [];
  const registry = followRegistry(
    writers[0].buckets,
    {
      onStatus: () => undefined,
      onGone: () => undefined,
      onManifest(_server, found) {
        offered = found?.tools.map(({ name }) => String(name)) ?? [];
      },
    },
    log,
  );
  const status = (n: number) => statusOf('twofold', `w${n}`, { manifest: `round9writer${n}` });
  const announcers = writers.map(({ buckets }, n) => createAnnouncer(buckets, () => status(n), log));
  try {
    for (const each of announcers) each.beat();
    await until('the tools of both are offered', () => offered.includes('only0') && offered.includes('only1'));
  } finally {
    await Promise.all(announcers.map((each) => each.close()));
    registry.close();
  }
});

test('two writers - of a block and its end at once all ingresses see the same one last', async () => {
  verifies('bus:two-writers');
  const seen: [BlockEvent[], BlockEvent[]] = [[], []];
  const followers = writers.map(({ buckets }, n) =>
    followBlocks({ buckets, log, onEvent: (event) => seen[n === 0 ? 0 : 1].push(event) }),
  );
  try {
    await Promise.all(followers.map(({ caughtUp }) => caughtUp));
    for (let round = 0; round < 20; round += 1) {
      const name = `agent${round}`;
      await both(({ buckets }, n) => putBlock(buckets, { kind: 'agent', name, blocked: n === 0, by: 'test', at: n }));
    }
    await until('both have seen all', () => seen.every((events) => lastOf(events).size === 20));
    await until('the same', () => {
      const [one, two] = seen.map((events) => JSON.stringify([...lastOf(events)].toSorted()));
      return one === two;
    });
    const stored = await writers[0].buckets.blocks.get('agent.agent0');
    assert.equal(stored?.json<BlockEvent>().blocked, lastOf(seen[0]).get('agent0'));
  } finally {
    for (const each of followers) each.close();
  }
});

const lastOf = (events: readonly BlockEvent[]) => new Map(events.map(({ name, blocked }) => [name, blocked]));

test('two writers - first calls of an agent at two ingresses at once go to one instance, and each runs once', async () => {
  verifies('bus:two-writers');
  const agents = Array.from({ length: 12 }, (_, at) => `agent${at}`);
  await using rig = await openRig({ workers: 2, agents, server: { affinity: 'agent' } });
  const second = await rig.addIngress();
  await until('it knows the tools', async () => (await rig.call({}, { at: second })).outcome === 'ok');
  for (const agent of agents) {
    const answers = await Promise.all(
      [rig.ingress, second, rig.ingress, second].map((at) => rig.call({ delayMs: 20 }, { agent, at })),
    );
    assert.deepEqual(
      answers.map(({ outcome }) => outcome),
      ['ok', 'ok', 'ok', 'ok'],
    );
    assert.equal(new Set(answers.map(({ text }) => text.slice(text.indexOf(' by ')))).size, 1, agent);
  }
  await assertPromisesKept(rig, 500);
});
