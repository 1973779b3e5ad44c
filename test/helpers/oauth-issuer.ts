import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import Provider, { type ResourceServer } from 'oidc-provider';

export interface IssuerClient {
  readonly id: string;
  readonly secret: string;
}

export interface IssuerOptions {
  readonly clients: readonly IssuerClient[];
  /** Public keys of clients that authenticate with private_key_jwt. */
  readonly keyClients?: ReadonlyArray<{ readonly id: string; readonly jwk: object }>;
  readonly scopes?: string;
  /** Seconds that tokens live. */
  readonly lifetimeS?: () => number;
}

/** A real authorization server on 127.0.0.1, whose access tokens are JWTs for the resource they were asked for. */
export interface OAuthIssuer extends AsyncDisposable {
  readonly url: string;
  /** Requests that came, as `METHOD path`. */
  readonly requests: string[];
  /** A token by the client credentials grant. */
  token(client: IssuerClient, resource: string, scope?: string): Promise<string>;
  /** A token with the issuer's own key and whatever claims and header the test wants. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Its public key, as PEM: what an attacker can have. */
  readonly publicKeyPem: string;
  readonly kid: string;
}

export async function startIssuer(options: IssuerOptions): Promise<OAuthIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = 'signing-1';
  const jwk = { ...(await exportJWK(privateKey)), kid, use: 'sig', alg: 'RS256' };
  const requests: string[] = [];
  const scope = options.scopes ?? 'tools:read tools:write';
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const common = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
  const provider = new Provider(url, {
    clients: [
      ...options.clients.map(({ id, secret }) => ({ ...common, client_id: id, client_secret: secret })),
      ...(options.keyClients ?? []).map((client) => ({
        ...common,
        client_id: client.id,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [client.jwk] },
      })),
    ],
    jwks: { keys: [jwk] },
    scopes: scope.split(' '),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx: unknown, resource: string): ResourceServer => ({
          scope,
          audience: resource,
          accessTokenTTL: options.lifetimeS?.() ?? 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  const handle = provider.callback();
  http.on('request', (req, res) => {
    requests.push(`${req.method} ${req.url}`);
    handle(req, res);
  });
  const publicKeyPem = await exportSPKI(publicKey);
  return {
    url,
    requests,
    publicKeyPem,
    kid,
    async token(client, resource, wanted) {
      const response = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          resource,
          ...(wanted !== undefined && { scope: wanted }),
        }),
      });
      const body = (await response.json()) as { access_token?: string };
      if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`);
      return body.access_token;
    },
    sign: (claims, header = {}) =>
      new SignJWT({ iss: url, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'at+jwt', ...header })
        .setIssuedAt(typeof claims['iat'] === 'number' ? claims['iat'] : undefined)
        .setExpirationTime(typeof claims['exp'] === 'number' ? claims['exp'] : '5m')
        .sign(privateKey),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
