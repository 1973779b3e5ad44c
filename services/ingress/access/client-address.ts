import { type AddressList, canonicalAddress } from '../../../shared/config/addresses.ts';

/**
 * The agent's address: the socket's, or, behind trusted proxies, the rightmost entry of `X-Forwarded-For` that no trusted proxy wrote
 * about another. Entries left of it are the agent's own words. Undefined when a trusted proxy vouches for something that is no address.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  trustedProxies: AddressList,
): string | undefined {
  let address = socketAddress === undefined ? undefined : canonicalAddress(socketAddress);
  if (address === undefined || trustedProxies.empty || forwardedFor === undefined) return address;
  const hops = forwardedFor.split(',');
  while (address !== undefined && trustedProxies.has(address)) {
    const hop = hops.pop();
    if (hop === undefined) return address;
    address = canonicalAddress(withoutPort(hop.trim()));
  }
  return address;
}

/** Some proxies write `10.0.0.1:5000` or `[2001:db8::1]:5000`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  if (bracketed?.[1] !== undefined) return bracketed[1];
  return /^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop;
}
