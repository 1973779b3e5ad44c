import { isIP } from 'node:net';
import { canonicalAddress } from './addresses.ts';

/** True for an IPv4 or IPv6 address, alone or with a prefix length: `10.0.0.0/8`, `::1`. Octal, hex and zoned forms are none. */
export function isCidr(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** True for a host name or address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return (
    bare === 'localhost' ||
    (isIP(bare) === 4 && bare.startsWith('127.')) ||
    (isIP(bare) === 6 && canonicalAddress(bare) === '0:0:0:0:0:0:0:1')
  );
}

/** True for an https:// URL without user name, query and fragment, and for such an http:// URL of this machine. */
export function isSecureUrl(text: string): boolean {
  if (!/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || isLoopback(hostname);
}

/** True for one NATS address or several with commas: `nats://a:4222,tls://b`, `host:4222`. */
export function isNatsUrl(text: string): boolean {
  return text.split(',').every((part) => {
    const server = part.trim();
    const url = server.includes('://') ? server : `nats://${server}`;
    return /^(nats|tls|ws|wss):\/\//.test(url) && URL.canParse(url) && new URL(url).hostname !== '';
  });
}
