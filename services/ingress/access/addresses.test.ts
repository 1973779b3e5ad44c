import assert from 'node:assert/strict';
import test from 'node:test';
import { OperatorError } from '../../../shared/errors.ts';
import { createAddressList } from './addresses.ts';
import { clientAddress } from './client-address.ts';

const tenNet = createAddressList(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'], 'access.allowIps');

const spellings: [address: string, inside: boolean][] = [
  ['10.0.0.1', true],
  ['10.255.255.255', true],
  ['11.0.0.1', false],
  ['9.255.255.255', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['::ffff:10.0.0.1', true],
  ['::FFFF:10.0.0.1', true],
  ['::ffff:a00:1', true],
  ['0:0:0:0:0:ffff:a00:1', true],
  ['0:0:0:0:0:ffff:10.0.0.1', true],
  ['0000:0000:0000:0000:0000:ffff:0a00:0001', true],
  ['::ffff:11.0.0.1', false],
  ['64:ff9b::a00:1', true],
  ['64:ff9b::10.0.0.1', true],
  ['0064:ff9b:0:0:0:0:0a00:0001', true],
  ['64:ff9b::b00:1', false],
  ['64:ff9b:1::a00:1', false],
  ['2002:a00:1::', true],
  ['2002:a00:1::1', true],
  ['2002:0a00:0001:ffff::9', true],
  ['2002:b00:1::', false],
  ['2001:db8::1', true],
  ['2001:0DB8:0:0::1', true],
  ['2001:db9::1', false],
  ['2001:db8::1%eth0', false],
  ['fe80::1%10.0.0.1', false],
  ['::1', false],
  ['127.0.0.1', false],
  ['010.0.0.1', false],
  ['0x0a.0.0.1', false],
  ['167772161', false],
  ['10.1', false],
  ['10.0.0.1 ', false],
  ['', false],
  ['localhost', false],
];

for (const [address, inside] of spellings) {
  test(`address list - "${address}" is ${inside ? 'inside' : 'outside'}`, () =>
    assert.equal(tenNet.has(address), inside));
}

test('address list - an entry may be a mapped, NAT64 or 6to4 network', () => {
  for (const entry of ['::ffff:10.0.0.0/104', '64:ff9b::a00:0/104', '2002:a00::/24']) {
    const list = createAddressList([entry], 'access.allowIps');
    assert.ok(list.has('10.1.2.3'), entry);
    assert.ok(!list.has('11.1.2.3'), entry);
  }
});

test('address list - refuses what is no CIDR block and names the setting', () => {
  for (const entry of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    '::/129',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '',
    'any',
    '::ffff:0:0/8',
  ]) {
    assert.throws(
      () => createAddressList([entry], 'access.allowIps'),
      (error) => error instanceof OperatorError && error.message.startsWith('access.allowIps'),
      entry,
    );
  }
});

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
