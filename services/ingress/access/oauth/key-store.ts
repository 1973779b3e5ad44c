import type { TrustedIssuer } from '../../../../shared/config/schema/auth.ts';
import type { Logger } from '../../../../shared/log.ts';
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.ts';

/** Keys by issuer. They outlive a change of the configuration: an issuer that is down then would lock everybody out. */
export interface KeysOfIssuers {
  of(issuer: TrustedIssuer): IssuerKeys;
}

export function createKeysOfIssuers(log: Logger): KeysOfIssuers {
  const held = new Map<string, { issuer: TrustedIssuer; keys: IssuerKeys }>();
  return {
    of(issuer) {
      const known = held.get(issuer.issuer);
      if (known !== undefined && known.issuer.jwksUri === issuer.jwksUri) return known.keys;
      const keys = createIssuerKeys({ issuer, log });
      held.set(issuer.issuer, { issuer, keys });
      return keys;
    },
  };
}
