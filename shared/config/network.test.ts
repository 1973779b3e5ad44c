import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isCidr, isNatsUrl } from './network.ts';

describe('isCidr', () => {
  for (const text of [
    '10.0.0.0/8',
    '1.2.3.4',
    '0.0.0.0/0',
    '::/0',
    '::1',
    'fe80::/10',
    '2001:db8::/128',
    '::ffff:10.0.0.0/104',
  ]) {
    test(`${text} - is one`, () => assert.equal(isCidr(text), true));
  }
  for (const text of [
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '0177.0.0.1',
    '0x7f.1',
    '127.1',
    '::/129',
    'fe80::1%eth0',
    'localhost',
    '10.0.0.0/8 ',
  ]) {
    test(`${JSON.stringify(text)} - is none`, () => assert.equal(isCidr(text), false));
  }

  test('what is accepted - is what BlockList takes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), fc.integer({ min: -1, max: 130 }), (address, prefix) => {
        if (!isCidr(`${address}/${prefix}`)) return;
        new BlockList().addSubnet(address, prefix, isIP(address) === 4 ? 'ipv4' : 'ipv6');
      }),
    );
  });
});

describe('isNatsUrl', () => {
  for (const text of [
    'nats://h',
    'nats://u:p@h:4222',
    'h:4222',
    'tls://a:1, nats://b',
    'wss://h/path',
    'nats://[::1]:4222',
  ]) {
    test(`${text} - is one`, () => assert.equal(isNatsUrl(text), true));
  }
  for (const text of ['', 'nats://', 'http://h', 'a b', 'nats://h,', 'nats://h:99999']) {
    test(`${JSON.stringify(text)} - is none`, () => assert.equal(isNatsUrl(text), false));
  }
});
