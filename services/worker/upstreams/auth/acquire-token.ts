import { readFile } from 'node:fs/promises';
import type {
  AuthorizationServerMetadata,
  OAuthClientProvider,
  StoredOAuthClientInformation,
} from '@modelcontextprotocol/client';
import type { UpstreamAuth } from '../../../../shared/config/schema/upstream-auth.ts';
import type { FetchLike } from './guarded-fetch.ts';
import { EgressRefused } from './refusal-of.ts';
import type { AcquireToken } from './token-source.ts';

type OAuth = typeof import('@modelcontextprotocol/client');

/** Where tokens for a server come from, and for which resource. */
interface Issuer {
  readonly url: string;
  readonly metadata: AuthorizationServerMetadata | undefined;
  readonly tokenUrl: string | undefined;
  readonly resource: string;
}

/**
 * Gets tokens for the server at `url` as its configuration says: client credentials, or an ID-JAG of an identity provider (MCP extensions
 * oauth-client-credentials and enterprise-managed-authorization). The SDK is loaded with the first token.
 */
export function createAcquireToken(auth: UpstreamAuth, url: URL, fetch: FetchLike): AcquireToken {
  let issuer: Issuer | undefined;
  /** Credentials belong to one authorization server (basic/authorization, "Authorization Server Binding"). */
  let bound = auth.issuer;

  async function issuerFor(oauth: OAuth, challenge: string | undefined): Promise<Issuer> {
    const found =
      auth.issuer === undefined && auth.tokenUrl === undefined ? await named(oauth, challenge) : configured(oauth);
    const { url: name } = await found;
    if (bound !== undefined && name !== bound) {
      throw new EgressRefused('the server names another authorization server than before');
    }
    if (auth.tokenUrl === undefined) bound = name;
    return found;
  }

  async function configured(oauth: OAuth): Promise<Issuer> {
    const resource = auth.resource ?? canonical(url);
    if (auth.tokenUrl !== undefined) {
      return { url: auth.issuer ?? auth.tokenUrl, metadata: undefined, tokenUrl: auth.tokenUrl, resource };
    }
    const name = auth.issuer ?? '';
    const metadata = await oauth.discoverAuthorizationServerMetadata(name, { fetchFn: fetch });
    if (metadata === undefined) throw new EgressRefused('the issuer has no metadata');
    return { url: name, metadata, tokenUrl: metadata.token_endpoint, resource };
  }

  /** What the server says of itself (RFC 9728). */
  async function named(oauth: OAuth, challenge: string | undefined): Promise<Issuer> {
    const resourceMetadataUrl = metadataUrlIn(oauth, challenge);
    const { authorizationServerUrl, authorizationServerMetadata, resourceMetadata } =
      await oauth.discoverOAuthServerInfo(url, { fetchFn: fetch, ...(resourceMetadataUrl && { resourceMetadataUrl }) });
    if (authorizationServerMetadata === undefined) throw new EgressRefused('the server names no authorization server');
    const resource = auth.resource ?? resourceMetadata?.resource ?? canonical(url);
    if (auth.resource === undefined && !belongs(url, resource)) {
      throw new EgressRefused('the server says that it is another resource');
    }
    return {
      url: authorizationServerMetadata.issuer ?? authorizationServerUrl,
      metadata: authorizationServerMetadata,
      tokenUrl: authorizationServerMetadata.token_endpoint,
      resource,
    };
  }

  return async (challenge) => {
    const oauth = await import('@modelcontextprotocol/client');
    try {
      issuer ??= await issuerFor(oauth, challenge);
      const from = issuer;
      const tokens =
        auth.type === 'client-credentials'
          ? await byCredentials(oauth, auth, from, fetch)
          : await byIdentity(oauth, auth, from, fetch);
      if (!/^bearer$/i.test(tokens.token_type)) throw new EgressRefused('a token that is no bearer token');
      if (!/^[\x21-\x7e]{1,8192}$/.test(tokens.access_token))
        throw new EgressRefused('a token that no header can hold');
      const seconds = tokens.expires_in;
      return {
        value: tokens.access_token,
        lifetimeMs: seconds === undefined ? undefined : Math.max(seconds, 1) * 1000,
      };
    } catch (error) {
      // Endpoints may have moved; they are looked up again the next time.
      issuer = undefined;
      throw error;
    }
  };
}

type Credentials = Extract<UpstreamAuth, { type: 'client-credentials' }>;
type Managed = Extract<UpstreamAuth, { type: 'enterprise-managed' }>;

async function byCredentials(oauth: OAuth, auth: Credentials, issuer: Issuer, fetch: FetchLike) {
  const metadata = metadataOf(issuer);
  const { clientId, clientSecret, privateKey, algorithm, scope } = auth;
  const client: StoredOAuthClientInformation = {
    client_id: clientId,
    issuer: metadata.issuer,
    ...(clientSecret !== undefined && { client_secret: clientSecret }),
  };
  const provider: OAuthClientProvider = {
    redirectUrl: undefined,
    clientMetadata: { client_name: 'toolbus', redirect_uris: [], grant_types: ['client_credentials'] },
    clientInformation: () => client,
    tokens: () => undefined,
    saveTokens() {},
    redirectToAuthorization() {},
    saveCodeVerifier() {},
    codeVerifier: () => '',
    prepareTokenRequest: (asked) =>
      new URLSearchParams({ grant_type: 'client_credentials', ...(asked !== undefined && { scope: asked }) }),
    ...(privateKey !== undefined && {
      addClientAuthentication: oauth.createPrivateKeyJwtAuth({
        issuer: clientId,
        subject: clientId,
        // As bytes: as text the SDK takes no EdDSA keys.
        privateKey: new TextEncoder().encode(privateKey),
        alg: algorithm,
      }),
    }),
  };
  return oauth.fetchToken(provider, issuer.url, {
    metadata,
    resource: issuer.resource,
    fetchFn: fetch,
    ...(scope !== undefined && { scope }),
  });
}

/** ID token → ID-JAG at the identity provider (RFC 8693) → access token at the server's authorization server (RFC 7523). */
async function byIdentity(oauth: OAuth, auth: Managed, issuer: Issuer, fetch: FetchLike) {
  const { idp } = auth;
  const idToken = idp.idToken ?? (await readFile(idp.idTokenFile ?? '', 'utf8')).trim();
  const exchange = {
    audience: issuer.url,
    resource: issuer.resource,
    idToken,
    clientId: idp.clientId,
    fetchFn: fetch,
    ...(idp.clientSecret !== undefined && { clientSecret: idp.clientSecret }),
    ...(auth.scope !== undefined && { scope: auth.scope }),
  };
  const { jwtAuthGrant } =
    idp.tokenUrl === undefined
      ? await oauth.discoverAndRequestJwtAuthGrant({ ...exchange, idpUrl: idp.issuer ?? '' })
      : await oauth.requestJwtAuthorizationGrant({ ...exchange, tokenEndpoint: idp.tokenUrl });
  const { clientId, clientSecret } = auth;
  return oauth.exchangeJwtAuthGrant({
    tokenEndpoint: metadataOf(issuer).token_endpoint,
    jwtAuthGrant,
    clientId,
    authMethod: clientSecret === undefined ? 'none' : 'client_secret_basic',
    fetchFn: fetch,
    ...(clientSecret !== undefined && { clientSecret }),
  });
}

function metadataOf({ url, metadata, tokenUrl = '' }: Issuer): AuthorizationServerMetadata {
  return (
    metadata ?? {
      issuer: url,
      authorization_endpoint: tokenUrl,
      token_endpoint: tokenUrl,
      response_types_supported: [],
    }
  );
}

function metadataUrlIn(oauth: OAuth, challenge: string | undefined): URL | undefined {
  if (challenge === undefined) return undefined;
  const headers = new Headers();
  try {
    headers.set('www-authenticate', challenge);
  } catch {
    return undefined;
  }
  return oauth.extractWWWAuthenticateParams(new Response(null, { status: 401, headers })).resourceMetadataUrl;
}

/** The URL of the server as RFC 8707 §2 wants it: no fragment, and by the MCP specification no slash at its end. */
function canonical({ origin, pathname, search }: URL): string {
  return `${origin}${pathname.replace(/\/$/, '')}${search}`;
}

/** A resource may stand for more than the URL in use, and never for another origin. */
function belongs(url: URL, resource: string): boolean {
  if (!URL.canParse(resource)) return false;
  const { origin, pathname } = new URL(resource);
  const base = pathname.endsWith('/') ? pathname : `${pathname}/`;
  return origin === url.origin && `${url.pathname}/`.startsWith(base);
}
