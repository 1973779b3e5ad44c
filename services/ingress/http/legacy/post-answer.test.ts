import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { Quiet } from '../keep-alive.ts';
import { send } from '../testing/raw-http.ts';
import { noAnswer, resultAnswer } from './answer.ts';
import { createPostAnswer, type PostAnswer } from './post-answer.ts';
import type { StreamLog } from './stream-log.ts';

const session: LegacySession = {
  key: 's',
  principal: { id: 'alice', method: 'key' },
  endpoint: { kind: 'all' },
  protocolVersion: '2025-11-25',
  capabilities: {},
};
const nothingKept: StreamLog = { open: () => undefined };

/** What an agent gets for a POST whose answering is played by `play`. */
async function answered(count: number, play: (answer: PostAnswer, quiet: Quiet) => void, streamLog = nothingKept) {
  const requests = Array.from({ length: count }, (_, at) => at + 1);
  const watched = new Set<Quiet>();
  const keepAlive = { watch: (quiet: Quiet) => watched.add(quiet), release: (quiet: Quiet) => watched.delete(quiet) };
  const server = createServer((_req, res) => {
    const options = { res, keepAlive, streamLog, session, requests, batch: count > 1 };
    const answer = createPostAnswer(options);
    const [quiet] = watched;
    play(answer, quiet ?? assert.fail('nothing keeps the answer alive'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { status, headers, body } = await send({ port: (server.address() as AddressInfo).port });
  await new Promise((resolve) => server.close(resolve));
  assert.equal(watched.size, 0, 'an ended answer is no longer kept alive');
  return { status, type: headers['content-type'], body };
}

test('post answer - is one JSON text when nothing comes before it', async () => {
  const { type, body } = await answered(1, (answer) => answer.answer(resultAnswer(1, '{"n":1}')));
  assert.deepEqual([type, body], ['application/json', '{"jsonrpc":"2.0","id":1,"result":{"n":1}}']);
});

test('post answer - becomes a stream when it was quiet for long, and says so', async () => {
  const { type, body } = await answered(1, (answer, quiet) => {
    assert.equal(quiet.quietMs, 3_000);
    quiet.onQuiet();
    assert.equal(quiet.quietMs, 15_000);
    answer.answer(resultAnswer('x', Buffer.from('{"n":1}')));
  });
  assert.deepEqual([type, body], ['text/event-stream', ': \n\ndata: {"jsonrpc":"2.0","id":"x","result":{"n":1}}\n\n']);
});

test('post answer - of a cancelled request is an empty stream', async () => {
  const { status, type, body } = await answered(1, (answer) => answer.answer(noAnswer));
  assert.deepEqual([status, type, body], [200, 'text/event-stream', '']);
});

test('post answer - of a batch with a cancelled request holds the others', async () => {
  const { body } = await answered(3, (answer) => {
    answer.answer(resultAnswer(1, '{}'));
    answer.answer(noAnswer);
    answer.answer(resultAnswer(3, Buffer.from('{}')));
  });
  assert.deepEqual(JSON.parse(body), [
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 3, result: {} },
  ]);
});

for (const size of [10, 100_000]) {
  test(`post answer - a result of ${size} bytes and more is the bytes of its server, whatever the id`, async () => {
    const result = JSON.stringify({ text: 'grüße \u2028'.repeat(size / 10) });
    const { body, type } = await answered(1, (answer) => answer.answer(resultAnswer('ä"1', Buffer.from(result))));
    assert.equal(type, 'application/json');
    assert.ok(body.endsWith(`"result":${result}}`));
    assert.deepEqual(JSON.parse(body), { jsonrpc: '2.0', id: 'ä"1', result: JSON.parse(result) });
  });
}
