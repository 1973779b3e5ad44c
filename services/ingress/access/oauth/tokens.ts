import { LRUCache } from 'lru-cache';
import { issuerOf } from '../../../../shared/config/schema/auth.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import type { Principal } from '../../../../shared/mcp/call.ts';
import type { KeysOfIssuers } from './key-store.ts';
import { createPrincipalOf } from './subjects.ts';
import { createVerifyToken, type VerifiedToken } from './verify.ts';

/** A token that was verified, and who shows it; no principal where the configuration names no agent for it. */
export interface KnownToken {
  readonly token: VerifiedToken;
  readonly principal: Principal | undefined;
  /** Of its issuer, besides the URLs of endpoints. */
  readonly extraAudiences: readonly string[];
}

/** The tokens of one configuration. */
export interface Tokens {
  /** A token verified lately, by the digest of its text. */
  known(digest: string): KnownToken | undefined;
  verify(digest: string, token: string): Promise<KnownToken | undefined>;
  /** Who a verified token stands for in this configuration. */
  principalOf(token: VerifiedToken): Principal | undefined;
}

const maxKnown = 10_000;
/** A verified token is verified again after this long, so that a key which its issuer withdrew does not count for ever. */
const trustMs = 5 * 60_000;

/** Throws an OperatorError for subjects that cannot be told apart. */
export function createTokens(config: Config, keys: KeysOfIssuers, now: () => number = Date.now): Tokens {
  const principalOf = createPrincipalOf(config);
  const issuers = new Map(config.auth.issuers.map((entry) => [issuerOf(entry).issuer, issuerOf(entry)]));
  const verifyToken = createVerifyToken(
    config.auth,
    (issuer) => {
      const trusted = issuers.get(issuer);
      return trusted && keys.of(trusted);
    },
    now,
  );
  const seen = new LRUCache<string, { known: KnownToken; until: number }>({ max: maxKnown });

  return {
    known(digest) {
      const held = seen.get(digest);
      if (held === undefined) return undefined;
      if (now() < held.until) return held.known;
      seen.delete(digest);
      return undefined;
    },
    async verify(digest, text) {
      const token = await verifyToken(text);
      if (token === undefined) return undefined;
      const known: KnownToken = {
        token,
        principal: principalOf(token),
        extraAudiences: issuers.get(token.issuer)?.audiences ?? [],
      };
      seen.set(digest, { known, until: Math.min(token.endsAt, now() + trustMs) });
      return known;
    },
    principalOf: (token) => (issuers.has(token.issuer) ? principalOf(token) : undefined),
  };
}
