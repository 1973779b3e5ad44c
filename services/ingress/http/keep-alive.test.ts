import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { createKeepAlive, type Quiet } from './keep-alive.ts';
import { createAnswer } from './modern/answer.ts';

test('keep alive - speaks up for what was quiet too long, once per time, until it is released', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stopping = new AbortController();
  const keepAlive = createKeepAlive(stopping.signal);
  const calls: string[] = [];
  const quiet: Quiet = {
    lastWrite: performance.now() - 60_000,
    quietMs: 50_000,
    onQuiet: () => void calls.push('quiet'),
  };
  const busy: Quiet = { lastWrite: performance.now(), quietMs: 50_000, onQuiet: () => void calls.push('busy') };
  keepAlive.watch(quiet);
  keepAlive.watch(busy);
  t.mock.timers.tick(3_000);
  assert.deepEqual(calls, ['quiet']);
  quiet.lastWrite -= 60_000;
  keepAlive.release(quiet);
  t.mock.timers.tick(1_000);
  busy.lastWrite -= 60_000;
  stopping.abort();
  t.mock.timers.tick(1_000);
  assert.deepEqual(calls, ['quiet']);
});

for (const [accept, type, comments] of [
  ['application/json, text/event-stream', 'text/event-stream', 1],
  ['application/json', 'application/json', 0],
] as const) {
  test(`keep alive - a quiet answer becomes ${type} for an agent that accepts ${accept}`, async () => {
    const watched: Quiet[] = [];
    const keepAlive = { watch: (quiet: Quiet) => void watched.push(quiet), release() {} };
    const server = http.createServer((_req, res) => {
      const answer = createAnswer(res, 1, accept, performance.now(), keepAlive);
      for (const quiet of watched) quiet.onQuiet();
      answer.error({ code: -32602, message: 'no' }, 200);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const [res] = await once(http.get({ port: address.port, host: '127.0.0.1' }), 'response');
    assert.equal(res.headers['content-type'], type);
    const body = await text(res);
    assert.equal(body.split(': keep-alive\n').length - 1, comments);
    assert.match(body, /-32602/);
    server.close();
  });
}
