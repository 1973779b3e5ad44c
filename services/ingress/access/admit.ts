import type { IncomingMessage } from 'node:http';
import { type AddressList, createAddressList } from '../../../shared/config/addresses.ts';
import { requireSafeBind } from '../../../shared/config/runtime.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { type AuthenticateOptions, type Credential, createAuthenticator } from './authenticate.ts';
import { clientAddress } from './client-address.ts';
import { createHostRules } from './hosts.ts';
import type { Resources } from './oauth/resources.ts';
import type { Refused } from './refused.ts';

export interface Admitted {
  readonly principal: Principal;
  readonly clientAddress: string;
  readonly credential: Credential;
}

/** The door of the public listener for one configuration. Looks at headers and addresses only, so it runs before a body is read. */
export interface Door {
  /** Host, Origin and address: what holds for every path. Returns the agent's address. */
  approach(req: IncomingMessage): string | Refused;
  /** Who it is, and whether this agent may come from there. `path` is that of the route, its names decoded. Never rejects. */
  enter(req: IncomingMessage, clientAddress: string, path: string): Admitted | Refused | Promise<Admitted | Refused>;
  /** True while who was admitted, perhaps by an earlier door, may stay. */
  holds(admitted: Admitted): boolean;
  /** Only in mode oauth. */
  readonly resources: Resources | undefined;
}

const malformedHost: Refused = { status: 400, message: 'exactly one well-formed Host header is needed' };
const twoCredentials: Refused = { status: 400, message: 'more than one Authorization header' };
const foreignHost: Refused = { status: 403, message: 'this Host is not allowed here' };
const foreignOrigin: Refused = { status: 403, message: 'this Origin is not allowed here' };
const foreignAddress: Refused = { status: 403, message: 'this address is not allowed here' };

/**
 * Builds the door for a configuration and the address the listener is bound to. Throws an OperatorError for a list with a bad entry,
 * and where nobody would be asked for a key although others than this machine can connect.
 */
export function createDoor(config: Config, bind: string, options: AuthenticateOptions = {}): Door {
  const { access, auth } = config;
  requireSafeBind(config, bind);
  const rules = createHostRules(access, bind, auth.mode === 'oauth' ? auth.resource : undefined);
  const allowed = createAddressList(access.allowIps, 'access.allowIps');
  const proxies = createAddressList(access.trustedProxies, 'access.trustedProxies');
  const authenticator = createAuthenticator(config, options);
  const agentAddresses = new Map<string, AddressList>();
  for (const [id, agent] of Object.entries(config.agents)) {
    if (agent.ips.length > 0) agentAddresses.set(id, createAddressList(agent.ips, `agents.${id}.ips`));
  }

  const mayCome = (address: string): boolean => allowed.empty || allowed.has(address);
  const mayBeThere = (principal: Principal, address: string): boolean =>
    principal.method === 'none' || (agentAddresses.get(principal.id)?.has(address) ?? true);
  const judge = (credential: Credential | Refused, address: string): Admitted | Refused => {
    if ('status' in credential) return credential;
    const { principal } = credential;
    return mayBeThere(principal, address) ? { principal, clientAddress: address, credential } : foreignAddress;
  };

  return {
    approach(req) {
      if (count(req.rawHeaders, 'host') !== 1) return malformedHost;
      const verdict = rules.host(req.headers.host ?? '');
      if (verdict === 'malformed') return malformedHost;
      if (verdict === 'foreign') return foreignHost;
      if (!rules.origin(req.headers.origin)) return foreignOrigin;
      const address = clientAddress(req.socket.remoteAddress, forwardedFor(req), proxies);
      return address !== undefined && mayCome(address) ? address : foreignAddress;
    },
    enter(req, address, path) {
      const { authorization } = req.headers;
      if (authorization !== undefined && count(req.rawHeaders, 'authorization') !== 1) return twoCredentials;
      const credential = authenticator.identify(authorization, path);
      return credential instanceof Promise
        ? credential.then((known) => judge(known, address))
        : judge(credential, address);
    },
    holds: ({ credential, principal, clientAddress: address }) =>
      authenticator.holds(credential) && mayCome(address) && mayBeThere(principal, address),
    get resources() {
      return authenticator.resources;
    },
  };
}

/** Node keeps the first of two such headers, a proxy before us may have used the second. */
function count(rawHeaders: readonly string[], wanted: string): number {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === wanted.length && name.toLowerCase() === wanted) found += 1;
  }
  return found;
}

function forwardedFor(req: IncomingMessage): string | undefined {
  const value = req.headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : value;
}
