import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { followUnusedConnections } from './unused-connections.ts';

test(
  'unused connections - one that never carried a request is ended, one that waits for its answer is not',
  {
    timeout: 20_000,
  },
  async () => {
    let answer: ServerResponse | undefined;
    const server = createServer({ headersTimeout: 600_000, requestTimeout: 600_000 }, (_request, response) => {
      answer = response;
    });
    const unused = followUnusedConnections(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const idle = connect(port, '127.0.0.1');
    const busy = connect(port, '127.0.0.1');
    await Promise.all([once(idle, 'connect'), once(busy, 'connect')]);
    for (const socket of [idle, busy]) socket.on('error', () => undefined);
    const arrived = once(server, 'request');
    busy.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await arrived;

    const ended = once(server, 'close');
    const left = once(idle, 'close');
    server.close();
    unused.destroy();
    await left;
    const heard = once(busy, 'data');
    answer?.end('here');
    assert.match(String((await heard)[0]), /here/);
    await ended;
  },
);
