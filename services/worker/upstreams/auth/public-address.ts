import { BlockList, isIPv4 } from 'node:net';
import { canonicalAddress } from '../../../../shared/config/addresses.ts';

/** Ranges that are not somebody else's host on the internet (IANA special-purpose registries, RFC 6890). */
const special: ReadonlyArray<readonly [network: string, prefix: number]> = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

/** Tells addresses of the internet from those of this machine and its networks; IPv4 inside IPv6 counts as IPv4. */
export function createIsPublic(): (address: string) => boolean {
  const blocked = new BlockList();
  for (const [network, prefix] of special) blocked.addSubnet(network, prefix, isIPv4(network) ? 'ipv4' : 'ipv6');
  return (address) => {
    const plain = canonicalAddress(address);
    return plain !== undefined && !blocked.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  };
}
