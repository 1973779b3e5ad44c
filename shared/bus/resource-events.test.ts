import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { connectBus } from './connect.ts';
import { createResourceEvents, type ResourceEvents, updatedEvent } from './resource-events.ts';
import { subjectsOf } from './subjects.ts';
import { startTestBroker } from './testing/broker.ts';

const log = pino({ level: 'silent' });
const subjects = subjectsOf('default');

async function opened() {
  const broker = await startTestBroker();
  const nc = await connectBus({ url: broker.url, name: 'test', log });
  const feeds: ResourceEvents[] = [];
  return {
    nc,
    async feed() {
      const feed = createResourceEvents({ nc, subjects, tenant: 'default', log });
      feeds.push(feed);
      await feed.caughtUp;
      const told: string[] = [];
      feed.onUpdated(
        ({ server, params }) => void told.push(`${server} ${String(params['uri'])} ${String(params['n'])}`),
      );
      return { feed, told };
    },
    tell(server: string, instance: string, uri: string, n: number, as = server) {
      nc.publish(subjects.event(server, updatedEvent), JSON.stringify({ server: as, instance, params: { uri, n } }));
    },
    async [Symbol.asyncDispose]() {
      for (const feed of feeds) feed.close();
      await nc.close();
      await broker.close();
    },
  };
}

async function reaches(feed: ResourceEvents, seq: number): Promise<void> {
  for (let tries = 0; feed.position().seq < seq && tries < 500; tries += 1) await delay(10);
  assert.equal(feed.position().seq, seq);
}

test('resource events - are told once, though each worker of a server tells of a change', async () => {
  await using bus = await opened();
  const { feed, told } = await bus.feed();
  bus.tell('notes', 'A', 'note://1', 1);
  bus.tell('notes', 'B', 'note://1', 1);
  bus.tell('notes', 'A', 'note://1', 2);
  bus.tell('notes', 'B', 'note://2', 1);
  bus.tell('other', 'C', 'note://1', 1);
  bus.tell('evil', 'D', 'note://1', 9, 'notes');
  await reaches(feed, 6);
  assert.deepEqual(told, ['notes note://1 1', 'notes note://1 2', 'notes note://2 1', 'other note://1 1']);
});

test('resource events - are in the same order at a process that starts later, which knows what was before', async () => {
  await using bus = await opened();
  const first = await bus.feed();
  for (let n = 1; n <= 5; n += 1) bus.tell('notes', 'A', 'note://1', n);
  await reaches(first.feed, 5);
  const second = await bus.feed();
  await reaches(second.feed, 5);
  const { epoch } = first.feed.position();
  const after = second.feed.since({ epoch, seq: 3 }) ?? assert.fail('it does not know');
  assert.deepEqual(
    after.map(({ params }) => params['n']),
    [4, 5],
  );
  assert.deepEqual(second.feed.since({ epoch, seq: 5 }), []);
  assert.equal(second.feed.since({ epoch: 'before', seq: 5 }), undefined);
  assert.deepEqual(second.told, [], 'what was before it began is not told');
});
