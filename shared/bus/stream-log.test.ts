import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { connectBus } from './connect.ts';
import { type BusStreamLog, createBusStreamLog, type LoggedEvent } from './stream-log.ts';
import { subjectsOf } from './subjects.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';

const log = pino({ level: 'silent' });
const subjects = subjectsOf('default');
let broker: TestBroker;
let nc: NatsConnection;
let writer: BusStreamLog;
let reader: BusStreamLog;

before(async () => {
  broker = await startTestBroker();
  nc = await connectBus({ url: broker.url, name: 'test', log });
  writer = createBusStreamLog({ nc, subjects, tenant: 'default', log });
  reader = createBusStreamLog({ nc, subjects, tenant: 'default', log });
  await delay(200);
});

after(async () => {
  writer.close();
  reader.close();
  await nc.close();
  await broker.close();
});

const said = (events: readonly LoggedEvent[]) =>
  events.map(({ n, message, ends }) => [n, ends ? 'end' : message && Buffer.from(message).toString()]);

test('stream log - gives back what was appended to a stream, in order, and nothing of another stream', async () => {
  assert.deepEqual(await reader.history('sess', 'one'), []);
  for (let n = 1; n <= 3; n += 1) writer.append('sess', 'one', n, `{"n":${n}}`);
  writer.append('sess', 'two', 1, 'foreign');
  writer.append('other', 'one', 1, 'foreign');
  writer.end('sess', 'one', 4);
  await nc.flush();
  await delay(50);
  const expected = [
    [1, '{"n":1}'],
    [2, '{"n":2}'],
    [3, '{"n":3}'],
    [4, 'end'],
  ];
  assert.deepEqual(said(await reader.history('sess', 'one')), expected);
});

test('stream log - is followed from the moment that following begins', async () => {
  const seen: LoggedEvent[] = [];
  writer.append('sess', 'live', 1, 'early');
  await nc.flush();
  const stop = await reader.follow('sess', 'live', (event) => void seen.push(event));
  writer.append('sess', 'live', 2, 'late');
  await nc.flush();
  stop();
  writer.append('sess', 'live', 3, 'too late');
  await nc.flush();
  assert.deepEqual(said(seen), [[2, 'late']]);
});

test('stream log - puts a large event together, and says of one beyond its limit only that it was', async () => {
  const large = 'é'.repeat(400_000);
  writer.append('sess', 'large', 1, large);
  writer.append('sess', 'large', 2, Buffer.alloc(5_000_000, 120));
  writer.append('sess', 'large', 3, 'small');
  await nc.flush();
  await delay(50);
  const events = said(await reader.history('sess', 'large'));
  assert.deepEqual(events, [
    [1, large],
    [2, undefined],
    [3, 'small'],
  ]);
});

test('stream log - reads more events than NATS gives at once, and keeps the newest of too many', async () => {
  for (let n = 1; n <= 3_000; n += 1) writer.append('sess', 'many', n, `${n}`);
  await nc.flush();
  await delay(300);
  const events = await reader.history('sess', 'many');
  assert.equal(events.length, 2_048);
  assert.deepEqual([events[0]?.n, events.at(-1)?.n], [953, 3_000]);
});

test('stream log - passes over what is no event', async () => {
  for (const text of ['', 'nonsense', '1 m 0', '1 m 0 2\nhalf', '99999999999 e\n', '2 m 1 2\nother half', '1 q\n'])
    nc.publish(subjects.streamLog('sess', 'broken'), text);
  writer.append('sess', 'broken', 7, 'whole');
  await nc.flush();
  await delay(50);
  assert.deepEqual(said(await reader.history('sess', 'broken')), [[7, 'whole']]);
});
