import type { createLocalJWKSet, JWK } from 'jose';
import { isSecureUrl } from '../../../../shared/config/network.ts';
import type { TrustedIssuer } from '../../../../shared/config/schema/auth.ts';
import type { Logger } from '../../../../shared/log.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { fetchJson } from './fetch-json.ts';

/** Finds the key of a token among those of one fetched set. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/** The public keys of one issuer, fetched when needed and kept. Never rejects: what cannot be had is undefined, and logged. */
export interface IssuerKeys {
  /** The keys as known; fetched where there are none, renewed in the background where they are old. */
  current(): Promise<KeySet | undefined>;
  /** For a token that names an unknown key: fetched again, but no sooner than 30 s after the last time. */
  renewed(): Promise<KeySet | undefined>;
}

export interface IssuerKeysOptions {
  readonly issuer: TrustedIssuer;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly fetch?: (url: string) => Promise<JsonObject>;
}

const maxAgeMs = 10 * 60_000;
const cooldownMs = 30_000;
/** Where no key is known at all, nobody can come in, so the wait is shorter. */
const firstRetryMs = 5_000;
const maxKeys = 100;

export function createIssuerKeys({ issuer, log, now = Date.now, fetch = fetchJson }: IssuerKeysOptions): IssuerKeys {
  let keys: KeySet | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let jwksUri = issuer.jwksUri;
  let running: Promise<KeySet | undefined> | undefined;

  function refresh(): Promise<KeySet | undefined> {
    const pauseMs = keys === undefined ? firstRetryMs : cooldownMs;
    if (running === undefined && now() - triedAt < pauseMs) return Promise.resolve(keys);
    running ??= load().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function load(): Promise<KeySet | undefined> {
    triedAt = now();
    try {
      jwksUri ??= await findJwksUri(issuer.issuer, fetch);
      const document = await fetch(jwksUri);
      const { createLocalJWKSet } = await import('jose');
      keys = createLocalJWKSet({ keys: publicKeys(document) });
      fetchedAt = now();
    } catch (error) {
      // Its metadata may name another address by now.
      jwksUri = issuer.jwksUri;
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ issuer: issuer.issuer, why }, 'cannot fetch the keys of the issuer; known keys go on');
    }
    return keys;
  }

  return {
    async current() {
      if (keys === undefined) return refresh();
      if (now() - fetchedAt > maxAgeMs) void refresh();
      return keys;
    },
    renewed: refresh,
  };
}

/** Public keys alone: a shared secret in the set would let whoever checks tokens make them. */
function publicKeys(document: JsonObject): JWK[] {
  const list = document['keys'];
  if (!Array.isArray(list)) throw new Error('the key set has no keys');
  return list
    .filter(isJsonObject)
    .filter((key) => typeof key['kty'] === 'string' && ['RSA', 'EC', 'OKP'].includes(key['kty']) && !('d' in key))
    .slice(0, maxKeys) as JWK[];
}

/** `jwks_uri` of the issuer's metadata, in the order of the MCP specification (basic/authorization, "Authorization Server Metadata Discovery"). */
async function findJwksUri(issuer: string, fetch: (url: string) => Promise<JsonObject>): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${origin}${path}/.well-known/openid-configuration`]),
  ];
  let last: unknown;
  for (const place of places) {
    let metadata: JsonObject;
    try {
      metadata = await fetch(place);
    } catch (error) {
      last = error;
      continue;
    }
    // RFC 8414 §3.3: a document that names another issuer must not be used.
    if (metadata['issuer'] !== issuer) throw new Error('its metadata names another issuer');
    const uri = metadata['jwks_uri'];
    if (typeof uri !== 'string' || !isSecureUrl(uri.split('?', 1)[0] ?? '')) {
      throw new Error('its metadata has no jwks_uri that is https');
    }
    return uri;
  }
  throw last instanceof Error ? last : new Error('it has no metadata');
}
