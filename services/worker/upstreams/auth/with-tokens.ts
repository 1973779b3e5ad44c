import type { LookupFunction } from 'node:net';
import type { Logger } from 'pino';
import type { UpstreamAuth } from '../../../../shared/config/schema/upstream-auth.ts';
import type { HttpClient } from '../http-client.ts';
import { createAcquireToken } from './acquire-token.ts';
import { authorize } from './authorized-client.ts';
import { createGuardedFetch } from './guarded-fetch.ts';
import { createTokenSource } from './token-source.ts';

export interface WithTokensOptions {
  /** Configured name of the server. */
  readonly server: string;
  readonly auth: UpstreamAuth;
  readonly log: Logger;
  /** As `dns.lookup`; for tests. */
  readonly lookup?: LookupFunction | undefined;
}

/** The client of a server whose configuration has `auth`. Closing it ends the renewal of its token. */
export function withTokens(client: HttpClient, { server, auth, log, lookup }: WithTokensOptions): HttpClient {
  const egress = createGuardedFetch({ trusted: originsOf(auth, client.url), lookup });
  const acquire = createAcquireToken(auth, client.url, egress.fetch);
  const needsNoPrompt = auth.issuer !== undefined || auth.tokenUrl !== undefined;
  const authorized = authorize(client, createTokenSource({ server, acquire, needsNoPrompt, log }));
  return {
    ...authorized,
    async close() {
      await authorized.close();
      await egress.close();
    },
  };
}

/** What the configuration names may be in our own network; all else was named by the server. */
function originsOf(auth: UpstreamAuth, url: URL): Set<string> {
  const named = [
    auth.issuer,
    auth.tokenUrl,
    ...(auth.type === 'enterprise-managed' ? [auth.idp.issuer, auth.idp.tokenUrl] : []),
  ];
  return new Set([url.origin, ...named.flatMap((one) => (one === undefined ? [] : [new URL(one).origin]))]);
}
