import assert from 'node:assert/strict';
import test from 'node:test';
import { createAddressList } from '../../../shared/config/addresses.ts';
import { clientAddress } from './client-address.ts';

const proxies = createAddressList(['127.0.0.1', '172.16.0.0/12'], 'access.trustedProxies');
const nobody = createAddressList([], 'access.trustedProxies');

const hops: [name: string, socket: string, header: string | undefined, expected: string | undefined][] = [
  ['no header', '127.0.0.1', undefined, '127.0.0.1'],
  ['header of an untrusted peer', '203.0.113.9', '10.0.0.1', '203.0.113.9'],
  ['one trusted hop', '127.0.0.1', '198.51.100.4', '198.51.100.4'],
  ['forged entries on the left', '127.0.0.1', '10.0.0.1, 198.51.100.4', '198.51.100.4'],
  ['a chain of trusted hops', '127.0.0.1', '10.0.0.1, 198.51.100.4, 172.16.0.9', '198.51.100.4'],
  ['only trusted hops', '127.0.0.1', '172.16.0.8, 172.16.0.9', '172.16.0.8'],
  ['an entry with a port', '127.0.0.1', '198.51.100.4:5123', '198.51.100.4'],
  ['a bracketed entry with a port', '127.0.0.1', '[2001:db8::1]:5123', '2001:db8:0:0:0:0:0:1'],
  ['a mapped peer', '::ffff:127.0.0.1', '198.51.100.4', '198.51.100.4'],
  ['an entry that is no address', '127.0.0.1', 'unknown', undefined],
  ['an empty entry', '127.0.0.1', '198.51.100.4,', undefined],
];

for (const [name, socket, header, expected] of hops) {
  test(`client address - ${name}`, () => assert.equal(clientAddress(socket, header, proxies), expected));
}

test('client address - without trusted proxies the header counts for nothing', () => {
  assert.equal(clientAddress('127.0.0.1', '10.0.0.1', nobody), '127.0.0.1');
});
