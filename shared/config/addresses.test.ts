import assert from 'node:assert/strict';
import test from 'node:test';
import { OperatorError } from '../errors.ts';
import { createAddressList } from './addresses.ts';

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
