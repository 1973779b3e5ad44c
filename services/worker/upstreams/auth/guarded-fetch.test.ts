import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import test from 'node:test';
import { createGuardedFetch } from './guarded-fetch.ts';
import { createIsPublic } from './public-address.ts';

const isPublic = createIsPublic();

test('public address - our own networks are none, however they are spelt', () => {
  const ours = [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '2130706433',
    '',
  ];
  for (const address of ours) assert.equal(isPublic(address), false, address);
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700::1111', '64:ff9b::101:101', '::ffff:1.1.1.1'])
    assert.equal(isPublic(address), true, address);
});

/** A listener that counts connections and answers as the test says. */
async function startCanary(
  answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string },
) {
  let connections = 0;
  const http = createServer((req, res) => {
    const { status, headers = {}, body = '' } = answer(req.url ?? '');
    res.writeHead(status, headers).end(body);
  }).on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

test('guarded fetch - a name that changes its mind after the check leads nowhere', async () => {
  await using canary = await startCanary(() => ({ status: 200 }));
  let lookups = 0;
  const rebinding: LookupFunction = (_hostname, options, callback) => {
    lookups += 1;
    const address = lookups === 1 ? '203.0.113.1' : '127.0.0.1';
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  const egress = createGuardedFetch({ trusted: new Set(), lookup: rebinding });
  await assert.rejects(egress.fetch(`https://rebinding.test:${canary.port}/`));
  await assert.rejects(egress.fetch(`https://rebinding.test:${canary.port}/`));
  await egress.close();
  assert.equal(canary.connections(), 0);
});

test('guarded fetch - one address of ours among those of a name is enough to refuse it', async () => {
  await using canary = await startCanary(() => ({ status: 200 }));
  const mixed: LookupFunction = (_hostname, options, callback) => {
    const found = [
      { address: '1.1.1.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    if (options.all === true) callback(null, found);
    else callback(null, '1.1.1.1', 4);
  };
  const egress = createGuardedFetch({ trusted: new Set(), lookup: mixed });
  await assert.rejects(egress.fetch(`https://mixed.test:${canary.port}/`));
  await egress.close();
  assert.equal(canary.connections(), 0);
});

test('guarded fetch - no redirect is followed, not even from a trusted origin', async () => {
  await using target = await startCanary(() => ({ status: 200 }));
  await using canary = await startCanary(() => ({ status: 302, headers: { location: `${target.origin}/x` } }));
  const egress = createGuardedFetch({ trusted: new Set([canary.origin]) });
  await assert.rejects(egress.fetch(`${canary.origin}/`), /redirect/);
  await egress.close();
  assert.equal(target.connections(), 0);
});

test('guarded fetch - an answer of more than 1 MiB is cut off', async () => {
  await using canary = await startCanary((path) => ({ status: 200, body: 'x'.repeat(path === '/big' ? 1 << 21 : 10) }));
  const egress = createGuardedFetch({ trusted: new Set([canary.origin]) });
  await assert.rejects(egress.fetch(`${canary.origin}/big`), /1 MiB/);
  assert.equal(await (await egress.fetch(`${canary.origin}/small`)).text(), 'x'.repeat(10));
  await egress.close();
});

test('guarded fetch - a user name in an address is refused', async () => {
  const egress = createGuardedFetch({ trusted: new Set() });
  await assert.rejects(
    egress.fetch('https://user:secret@example.com/'),
    (error: Error) => !error.message.includes('secret'),
  );
  await egress.close();
});
