import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { issuerOf } from '../../../../shared/config/schema/auth.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import type { IssuerKeys, KeySet } from './issuer-keys.ts';

/** What a token says, after its signature, issuer and times were checked. Its audience was not: that depends on the endpoint. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
  /** Epoch milliseconds; the tolerance included. */
  readonly endsAt: number;
  readonly claims: Readonly<JWTPayload>;
}

/** Checks a JWT access token; undefined for any that is not to be believed. Never rejects. */
export type VerifyToken = (token: string) => Promise<VerifiedToken | undefined>;

const toleranceS = 60;
const maxAudiences = 32;
const maxScopes = 256;

/**
 * Believes tokens of the configured issuers alone, signed with one of the configured algorithms by a key that the issuer itself publishes:
 * keys or addresses of keys in the token (`jwk`, `jku`, `x5c`, `x5u`) are not looked at. `keysOf` gives the keys of a configured issuer.
 */
export function createVerifyToken(
  auth: Config['auth'],
  keysOf: (issuer: string) => IssuerKeys | undefined,
  now: () => number = Date.now,
): VerifyToken {
  const issuers = new Set(auth.issuers.map((entry) => issuerOf(entry).issuer));

  return async (token) => {
    const jose = await import('jose');
    try {
      const { iss } = jose.decodeJwt(token);
      const keys = iss !== undefined && issuers.has(iss) ? keysOf(iss) : undefined;
      if (iss === undefined || keys === undefined) return undefined;
      const options: JWTVerifyOptions = {
        issuer: iss,
        algorithms: [...auth.algorithms],
        requiredClaims: ['iss', 'aud', 'exp', 'iat'],
        clockTolerance: toleranceS,
        currentDate: new Date(now()),
      };
      const known = await keys.current();
      let claims = known && (await withKeys(jose, token, known, options));
      if (claims === undefined) {
        const renewed = await keys.renewed();
        if (renewed !== undefined && renewed !== known) claims = await withKeys(jose, token, renewed, options);
      }
      return claims && read(claims, iss, now());
    } catch {
      return undefined;
    }
  };
}

/** The claims; undefined when no key of the set is meant. Rejects for a token that is wrong. */
async function withKeys(
  jose: typeof import('jose'),
  token: string,
  keys: KeySet,
  options: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  try {
    return (await jose.jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (error instanceof jose.errors.JWKSNoMatchingKey) return undefined;
    if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
    // A token without kid: any key of the right kind may be the one.
    for await (const key of error) {
      try {
        return (await jose.jwtVerify(token, key, options)).payload;
      } catch (failed) {
        if (!(failed instanceof jose.errors.JWSSignatureVerificationFailed)) throw failed;
      }
    }
    return undefined;
  }
}

function read(claims: JWTPayload, issuer: string, now: number): VerifiedToken | undefined {
  const { exp, iat, sub, aud } = claims;
  if (exp === undefined || iat === undefined || iat > now / 1000 + toleranceS) return undefined;
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === 'string').slice(0, maxAudiences);
  return {
    issuer,
    subject: typeof sub === 'string' ? sub : undefined,
    audiences,
    scopes: scopesOf(claims),
    endsAt: (exp + toleranceS) * 1000,
    claims,
  };
}

/** `scope` with spaces (RFC 9068 §2.2.3), or the list `scp` that some issuers write. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  const list = typeof scope === 'string' ? scope.split(' ') : typeof scp === 'string' ? scp.split(' ') : scp;
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string' && one !== '').slice(0, maxScopes) : [];
}
