import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { until } from '../../test/helpers/until.ts';
import { connectBus, type NatsConnection } from './connect.ts';
import { createOutbox } from './outbox.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';
import { silentLog as log } from './testing/call-pair.ts';

let broker: TestBroker;
let nc: NatsConnection;

before(async () => {
  broker = await startTestBroker();
  nc = await connectBus({ url: broker.url, name: 'outbox test', log });
});
after(async () => {
  await nc.close();
  await broker.close();
});

/** What is handed to the NATS client, and when. */
function watched() {
  const published: string[] = [];
  const outbox = createOutbox(
    new Proxy(nc, {
      get(target, name) {
        if (name === 'publish') {
          return (subject: string, payload: Uint8Array) => {
            published.push(Buffer.from(payload).toString());
            nc.publish(subject, payload);
          };
        }
        return Reflect.get(target, name, target);
      },
    }),
    log,
  );
  return {
    published,
    send: (text: string) => outbox.send('outbox', Buffer.from(text)),
    endTurn: () => nextTurn(),
  };
}

test('outbox - however many messages a turn has, they arrive in the order they were sent', async () => {
  const received: string[] = [];
  const subscription = nc.subscribe('outbox', {
    callback: (_error, message) => void received.push(message.string()),
  });
  const { send, endTurn } = watched();
  const sent: string[] = [];
  for (const count of [1, 1, 3, 0, 1, 5, 5, 1, 1, 1, 2, 1]) {
    for (let n = 0; n < count; n += 1) {
      sent.push(`${sent.length}`);
      send(sent.at(-1) ?? '');
    }
    await endTurn();
  }
  await until('all have arrived', () => received.length === sent.length);
  assert.deepEqual(received, sent);
  subscription.unsubscribe();
});

test('outbox - a message goes at once where turns have one each, and with the others where they have more', async () => {
  const { published, send, endTurn } = watched();
  const textsAtOnce = (texts: readonly string[]) => {
    const before = published.length;
    for (const text of texts) send(text);
    return published.slice(before);
  };
  assert.deepEqual(textsAtOnce(['a']), ['a']);
  await endTurn();
  assert.deepEqual(textsAtOnce(['b', 'c']), ['b'], 'the first of a crowd is not known to be one');
  await endTurn();
  assert.deepEqual(textsAtOnce(['d', 'e', 'f']), []);
  await endTurn();
  assert.deepEqual(textsAtOnce(['g']), []);
  await endTurn();
  assert.deepEqual(textsAtOnce(['h']), ['h']);
  await endTurn();
  assert.equal(published.join(''), 'abcdefgh');
});

test('outbox - refuses what NATS would not take', async () => {
  const outbox = createOutbox(nc, log);
  assert.equal(outbox.send('outbox', Buffer.alloc((nc.info?.max_payload ?? 0) + 1)), false);
  const other = await connectBus({ url: broker.url, name: 'outbox test', log });
  const closed = createOutbox(other, log);
  await other.close();
  assert.equal(closed.send('outbox', Buffer.from('x')), false);
});
