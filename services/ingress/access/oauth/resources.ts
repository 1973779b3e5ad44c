import { issuerOf } from '../../../../shared/config/schema/auth.ts';
import type { Config } from '../../../../shared/config/schema.ts';

/** A protected resource of the listener: the path of an endpoint, `/mcp/NAME`. Its canonical URL is what tokens are made for (RFC 8707). */
export interface Resources {
  /** Document of RFC 9728 §2 for the path after `/.well-known/oauth-protected-resource`; undefined where no resource can be. */
  metadata(path: string): string | undefined;
  /** `WWW-Authenticate` for a request to `path` (RFC 6750 §3, RFC 9728 §5.1). */
  challenge(path: string, more?: { readonly error: string; readonly scope?: string }): string;
  /** What of the listener a token with these audiences is good for; undefined where not even `path` is. */
  reach(audiences: readonly string[], path: string): Reach | undefined;
}

/** The whole listener, or one server or toolset of it. */
export type Reach = 'all' | { readonly name: string };

export const metadataPath = '/.well-known/oauth-protected-resource';

/** Names that `/mcp/NAME` can have; whether one exists is not told to those who have not proven who they are. */
const endpoint = /^\/(mcp|sse)(?:\/([A-Za-z0-9][A-Za-z0-9_-]{0,39}))?$/;

/**
 * `base` is the public URL of the listener, before `/mcp`. One that has a path of its own (`https://host/tools`) has its documents at
 * `https://host/.well-known/oauth-protected-resource/tools/mcp` (RFC 9728 §3.1), so that a proxy may pass either form of the path on.
 */
export function createResources(auth: Config['auth'], base: string): Resources {
  const root = base.replace(/\/+$/, '');
  const { origin, pathname } = new URL(root);
  const prefix = pathname === '/' ? '' : pathname;
  const scopes = Object.keys(auth.scopes);
  const initial = auth.initialScopes ?? scopes;
  const documentOf = (path: string) => ({
    resource: `${root}${path}`,
    authorization_servers: auth.issuers.map((entry) => issuerOf(entry).issuer),
    bearer_methods_supported: ['header'],
    ...(scopes.length > 0 && { scopes_supported: scopes }),
    resource_name: 'toolbus',
  });

  return {
    metadata(path) {
      const inner =
        prefix !== '' && (path === prefix || path.startsWith(`${prefix}/`)) ? path.slice(prefix.length) : path;
      if (inner !== '' && !endpoint.test(inner)) return undefined;
      return JSON.stringify(documentOf(inner));
    },
    challenge(path, more) {
      const known = endpoint.exec(path) === null ? (path === '/messages' ? '/sse' : '/mcp') : path;
      const parts = [`resource_metadata="${origin}${metadataPath}${prefix}${known}"`];
      const scope = more?.scope ?? initial.join(' ');
      if (more !== undefined) parts.unshift(`error="${more.error}"`);
      if (scope !== '') parts.push(`scope="${scope}"`);
      return `Bearer ${parts.join(', ')}`;
    },
    reach(audiences, path) {
      const wanted = endpoint.exec(path);
      let narrow: Reach | undefined;
      for (const audience of audiences) {
        const known = audience.endsWith('/') ? audience.slice(0, -1) : audience;
        if (known === root) return 'all';
        if (!known.startsWith(`${root}/`)) continue;
        const meant = endpoint.exec(known.slice(root.length));
        if (meant === null) continue;
        const name = meant[2];
        if (name === undefined) return 'all';
        // Paths that belong to no endpoint, such as /messages, are narrowed to the one that the token is for.
        if (wanted === null || wanted[2] === name) narrow ??= { name };
      }
      return narrow;
    },
  };
}
