import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';

/**
 * The principal with every scope it could ask for: what it may get to see where `auth.stepUp` is on. Others are themselves.
 */
export function withEveryScope(principal: Principal, { auth }: Config): Principal {
  if (principal.scopes === undefined || !auth.stepUp) return principal;
  return { ...principal, scopes: Object.keys(auth.scopes).sort() };
}

/** What scopes permit, as a layer of rules over those of the agent. Unknown scopes permit nothing. */
export function allowedByScopes(scopes: readonly string[], { auth }: Config): string[] {
  return scopes.flatMap((scope) => (Object.hasOwn(auth.scopes, scope) ? (auth.scopes[scope]?.allow ?? []) : []));
}
