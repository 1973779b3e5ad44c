import type { Entry } from './offering.ts';

/**
 * Two servers may have the same URI. Rewriting breaks links, templates and apps, so only the later one of a real collision
 * gets a prefix of its own, and everywhere the same: in lists, links, reads and subscriptions.
 */

const scheme = 'toolbus+';

/** The URI under which an aggregate endpoint knows a server's URI that another server has too. */
export function prefixUri(server: string, uri: string): string {
  return `${prefixOf(server)}${uri}`;
}

/** The server and its own URI, for a URI with a prefix of one of these servers. Schemes are not case-sensitive. */
export function splitUri(uri: string, servers: readonly string[]): { server: string; uri: string } | undefined {
  const colon = uri.indexOf(':');
  if (colon === -1 || !uri.slice(0, scheme.length).toLowerCase().startsWith(scheme)) return undefined;
  const prefix = uri.slice(0, colon + 1);
  const exact = servers.find((server) => prefixOf(server) === prefix);
  const alike = servers.filter((server) => prefixOf(server).toLowerCase() === prefix.toLowerCase());
  const server = exact ?? (alike.length === 1 ? alike[0] : undefined);
  return server === undefined ? undefined : { server, uri: uri.slice(colon + 1) };
}

/** The lower-cased scheme of a URI; undefined for text that has none. */
export function schemeOf(uri: string): string | undefined {
  return /^[A-Za-z][A-Za-z0-9+.-]{0,63}(?=:)/.exec(uri)?.[0].toLowerCase();
}

/** Which entries share their URI with an entry of an earlier server. */
export function collidingUris(entries: readonly Entry[]): ReadonlySet<Entry> {
  const owners = new Map<string, string>();
  const colliding = new Set<Entry>();
  for (const entry of entries) {
    const owner = owners.get(entry.target);
    if (owner === undefined) owners.set(entry.target, entry.server);
    else if (owner !== entry.server) colliding.add(entry);
  }
  return colliding;
}

// A scheme holds no underscore, and a server's name no dot.
function prefixOf(server: string): string {
  return `${scheme}${server.replaceAll('_', '.')}:`;
}
