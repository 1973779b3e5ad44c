/** The part of the package, which has no types, that the tests use. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  export interface ResourceServer {
    readonly scope: string;
    readonly audience: string;
    readonly accessTokenTTL: number;
    readonly accessTokenFormat: 'jwt';
    readonly jwt: { readonly sign: { readonly alg: string } };
  }

  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    on(event: string, listener: (...args: never[]) => void): this;
    registerGrantType(name: string, handler: (ctx: never, next: () => Promise<void>) => Promise<void>): void;
  }
}
