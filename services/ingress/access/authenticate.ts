import { sha256Hex } from '../../../shared/audit/digest.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { createKeyRing, type KeyRing } from './keys.ts';
import type { KeysOfIssuers } from './oauth/key-store.ts';
import { createResources, type Reach, type Resources } from './oauth/resources.ts';
import { createPrincipalOf } from './oauth/subjects.ts';
import { createTokens, type KnownToken } from './oauth/tokens.ts';
import type { VerifiedToken } from './oauth/verify.ts';
import type { Refused } from './refused.ts';

/** Who it is, and what proves it. */
export interface Credential {
  readonly principal: Principal;
  /** Epoch milliseconds after which the proof counts no more; infinite where it has no end. */
  readonly endsAt: number;
  readonly reach: Reach;
  readonly proof: Proof;
}

type Proof =
  | { readonly kind: 'none' }
  | { readonly kind: 'key'; readonly digest: Buffer; readonly hex: string }
  | { readonly kind: 'token'; readonly token: VerifiedToken };

/** Who sends a request, by its `Authorization` header. */
export interface Authenticator {
  /** At once for keys and for tokens that were verified lately; a promise, which never rejects, for other tokens. */
  identify(authorization: string | undefined, path: string): Credential | Refused | Promise<Credential | Refused>;
  /** True while what `identify` said still holds: a key may be revoked, a token's subject may be nobody's any more. */
  holds(credential: Credential): boolean;
  /** In mode oauth: what RFC 9728 wants told. */
  readonly resources: Resources | undefined;
}

export interface AuthenticateOptions {
  /** The key minted at start when the config names no agents and the bind is loopback. */
  readonly developmentKey?: string | undefined;
  /** For mode oauth. */
  readonly oauth?: OAuthOptions | undefined;
}

export interface OAuthOptions {
  /** The URL of the listener, known once it listens; for where `auth.resource` does not say it. */
  origin(): string;
  readonly keys: KeysOfIssuers;
}

const bearer = /^bearer +([!-~]+)$/i;
const nobodyAsked: Credential = {
  principal: { id: 'anonymous', method: 'none' },
  endsAt: Number.POSITIVE_INFINITY,
  reach: 'all',
  proof: { kind: 'none' },
};
const needsKey = 'a valid API key is needed: Authorization: Bearer <key>';
const needsToken = 'a valid access token or API key is needed: Authorization: Bearer <token>';
const namesNobody: Refused = { status: 403, message: 'no agent is configured for this token' };

/** Throws an OperatorError where one key or one subject would be two agents. */
export function checkIdentities(config: Config): void {
  createKeyRing(config.agents, undefined);
  if (config.auth.mode === 'oauth') createPrincipalOf(config);
}

/** Throws an OperatorError as `checkIdentities` does. */
export function createAuthenticator(config: Config, options: AuthenticateOptions = {}): Authenticator {
  switch (config.auth.mode) {
    case 'none':
      return {
        identify: () => nobodyAsked,
        holds: (credential) => credential.proof.kind === 'none',
        resources: undefined,
      };
    case 'keys':
      return byKeys(createKeyRing(config.agents, options.developmentKey));
    case 'oauth':
      return byTokens(config, createKeyRing(config.agents, undefined), options.oauth);
    default:
      return config.auth.mode satisfies never;
  }
}

function byKeys(keys: KeyRing): Authenticator {
  const refused: Refused = { status: 401, message: needsKey, challenge: 'Bearer' };
  return {
    identify(authorization) {
      const text = tokenOf(authorization);
      return (text === undefined ? undefined : keyCredential(keys, digestOf(text))) ?? refused;
    },
    holds: (credential) => keyHolds(keys, credential),
    resources: undefined,
  };
}

/** Tokens, and keys for machines that have no issuer. */
function byTokens(config: Config, keys: KeyRing, options: OAuthOptions | undefined): Authenticator {
  if (options === undefined) throw new Error('mode oauth without keys of issuers');
  const tokens = createTokens(config, options.keys);
  let made: Resources | undefined;
  const resources = (): Resources => {
    made ??= createResources(config.auth, config.auth.resource ?? options.origin());
    return made;
  };

  const refuse = (path: string, given: boolean): Refused => ({
    status: 401,
    message: needsToken,
    challenge: resources().challenge(path, given ? { error: 'invalid_token' } : undefined),
  });
  const judge = (known: KnownToken | undefined, path: string): Credential | Refused => {
    const { token, principal } = known ?? {};
    if (known === undefined || token === undefined) return refuse(path, true);
    const extra = token.audiences.some((audience) => known.extraAudiences.includes(audience));
    const reach = extra ? 'all' : resources().reach(token.audiences, path);
    if (reach === undefined) return refuse(path, true);
    if (principal === undefined) return namesNobody;
    return { principal, endsAt: token.endsAt, reach, proof: { kind: 'token', token } };
  };

  return {
    identify(authorization, path) {
      const text = tokenOf(authorization);
      if (text === undefined) return refuse(path, false);
      const digest = digestOf(text);
      const byKey = keys.size > 0 ? keyCredential(keys, digest) : undefined;
      if (byKey !== undefined) return byKey;
      const known = tokens.known(digest.hex);
      if (known !== undefined) return judge(known, path);
      return tokens.verify(digest.hex, text).then((verified) => judge(verified, path));
    },
    holds(credential) {
      if (credential.proof.kind !== 'token') return keyHolds(keys, credential);
      const { token } = credential.proof;
      return tokens.principalOf(token)?.id === credential.principal.id;
    },
    get resources() {
      return resources();
    },
  };
}

interface Digest {
  readonly bytes: Buffer;
  readonly hex: string;
}

function tokenOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
}

function digestOf(text: string): Digest {
  const hex = sha256Hex(text);
  return { bytes: Buffer.from(hex, 'hex'), hex };
}

function keyCredential(keys: KeyRing, { bytes, hex }: Digest): Credential | undefined {
  const holder = keys.holder(bytes, hex);
  if (holder === undefined) return undefined;
  return {
    principal: holder.principal,
    endsAt: holder.endsAt,
    reach: 'all',
    proof: { kind: 'key', digest: bytes, hex },
  };
}

function keyHolds(keys: KeyRing, { proof, principal }: Credential): boolean {
  return proof.kind === 'key' && keys.holder(proof.digest, proof.hex)?.principal.id === principal.id;
}
