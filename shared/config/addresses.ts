import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { exitCode, OperatorError } from '../errors.ts';

/** A set of IP addresses and networks. */
export interface AddressList {
  readonly empty: boolean;
  /** `address` as a peer or a header spells it; one with a zone id, or that is no address, is in no list. */
  has(address: string): boolean;
}

/**
 * Builds a list from addresses and CIDR blocks. `setting` is named in the error.
 * Throws an OperatorError for an entry that is neither.
 */
export function createAddressList(entries: readonly string[], setting: string): AddressList {
  const blocks = new BlockList();
  for (const entry of entries) addEntry(blocks, entry, setting);
  return {
    empty: entries.length === 0,
    has(address) {
      const plain = canonicalAddress(address);
      return plain !== undefined && blocks.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
    },
  };
}

/**
 * One spelling per host: an IPv4 address inside an IPv6 one (mapped, NAT64 64:ff9b::/96, 6to4 2002::/16) is given as IPv4, so that
 * a rule for the IPv4 network holds for it. Undefined for anything with a zone id and for what is no address.
 */
export function canonicalAddress(address: string): string | undefined {
  if (isIPv4(address)) return address;
  if (address.includes('%') || !isIPv6(address)) return undefined;
  const groups = ipv6Groups(address);
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = groups;
  const middleIsZero = g2 === 0 && g3 === 0 && g4 === 0;
  if (g0 === 0 && g1 === 0 && middleIsZero && g5 === 0xffff) return ipv4Of(g6, g7);
  if (g0 === 0x64 && g1 === 0xff9b && middleIsZero && g5 === 0) return ipv4Of(g6, g7);
  if (g0 === 0x2002) return ipv4Of(g1, g2);
  return groups.map((group) => group.toString(16)).join(':');
}

function addEntry(blocks: BlockList, entry: string, setting: string): void {
  const [text = '', bits, more] = entry.split('/');
  const plain = canonicalAddress(text);
  const written = isIPv4(text) ? 32 : 128;
  const given = bits === undefined ? written : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  // A mapped, NAT64 or 6to4 network counts its bits from inside the IPv6 prefix that the canonical form took off.
  const before = plain !== undefined && isIPv4(plain) && written === 128 ? embeddedAt(text) : 0;
  const prefix = given - before;
  const widest = plain !== undefined && isIPv4(plain) ? 32 : 128;
  if (plain === undefined || more !== undefined || !(given <= written) || !(prefix >= 0)) {
    throw new OperatorError(exitCode.usage, `${setting}: "${entry.slice(0, 64)}" is no IP address and no CIDR block`);
  }
  blocks.addSubnet(plain, Math.min(prefix, widest), widest === 32 ? 'ipv4' : 'ipv6');
}

/** Bit at which the IPv4 address begins. */
function embeddedAt(address: string): number {
  return ipv6Groups(address)[0] === 0x2002 ? 16 : 96;
}

/** The eight groups of an address that `isIPv6` has accepted. */
function ipv6Groups(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupsOf(text: string): number[] {
  const groups: number[] = [];
  for (const part of text === '' ? [] : text.split(':')) {
    if (part.includes('.')) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
      groups.push(a * 256 + b, c * 256 + d);
    } else {
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function ipv4Of(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
