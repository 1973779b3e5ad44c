import { hasControls } from './controls.ts';

/** Hosts of a URL as an operator lists them: `example.com`, or `*.example.org` for every name below; `*` for any. */

const defaultSchemes = ['http', 'https'];

/**
 * Why a URL may not be used; undefined when it may. URL readers disagree about what is unusual, so whatever is unusual is refused: user names,
 * backslashes, blanks, percent signs or foreign letters in the host.
 */
export function faultOfUrl(
  text: string,
  hosts: readonly string[],
  schemes = defaultSchemes as readonly string[],
): string | undefined {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)/.exec(text);
  if (match === null) return 'is not a URL with a host';
  const [, scheme = '', authority = ''] = match;
  if (!schemes.includes(scheme.toLowerCase()))
    return `must be a URL with ${schemes.map((one) => `${one}://`).join(' or ')}`;
  if (/[\\\s]/.test(text) || hasControls(text)) return 'holds a backslash, a blank or a control character';
  if (authority.includes('@')) return 'names a user before the host';
  const named = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.exec(authority)?.[1];
  const host = named === undefined ? undefined : canonicalHost(text, scheme, named);
  if (host === undefined) return 'has a host that can be read in different ways';
  return hosts.some((pattern) => isMeant(host, pattern.toLowerCase())) ? undefined : 'has a host that is not allowed';
}

/** As the URL standard reads it, so that 0x7f.1 is 127.0.0.1. */
function canonicalHost(text: string, scheme: string, named: string): string | undefined {
  try {
    const special = new URL(text.replace(scheme, 'http')).hostname;
    return (special === '' ? named : special).toLowerCase().replace(/\.$/, '');
  } catch {
    return undefined;
  }
}

function isMeant(host: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length >= pattern.length : host === pattern;
}
