import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { createParser } from 'eventsource-parser';
import { openSse, type SseStream } from './sse-writer.ts';

/** What a real reader of event streams makes of what `write` wrote. */
async function readBack(write: (stream: SseStream) => void) {
  const server = http.createServer((_req, res) => {
    const stream = openSse(res);
    write(stream);
    stream.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const [res] = await once(http.get({ port: address.port, host: '127.0.0.1' }), 'response');
  const body = await text(res);
  server.close();
  const events: { data: string; id: string | undefined; event: string | undefined }[] = [];
  const comments: string[] = [];
  const parser = createParser({
    onEvent: ({ data, id, event }) => events.push({ data, id, event }),
    onComment: (comment) => comments.push(comment),
  });
  parser.feed(body);
  return { events, comments, headers: res.headers };
}

const datas = ['{}', 'a\nb', 'a\r\nb\rc', '', '\n', 'x\n', '\r\r', 'ü€😀', ' leading blank'];

for (const data of datas) {
  for (const kind of ['text', 'bytes'] as const) {
    test(`sse writer - ${JSON.stringify(data)} as ${kind} is read as it was written`, async () => {
      const { events } = await readBack((stream) => stream.event(kind === 'text' ? data : Buffer.from(data), '7'));
      assert.deepEqual(events, [{ data: data.replaceAll(/\r\n|\r/g, '\n'), id: '7', event: undefined }]);
    });
  }
}

test('sse writer - names, ids and comments stay on their lines', async () => {
  const { events, comments, headers } = await readBack((stream) => {
    stream.comment('a\ndata: forged');
    stream.event('x', { event: 'end\npoint', id: '1\n2', retryMs: 5 });
  });
  assert.deepEqual(comments, ['a data: forged']);
  assert.deepEqual(events, [{ data: 'x', id: '1 2', event: 'end point' }]);
  assert.equal(headers['content-type'], 'text/event-stream');
  assert.equal(headers['x-accel-buffering'], 'no');
});
