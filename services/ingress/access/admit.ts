import type { IncomingMessage } from 'node:http';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { type AddressList, createAddressList } from './addresses.ts';
import { type AuthenticateOptions, createAuthenticate } from './authenticate.ts';
import { clientAddress } from './client-address.ts';
import { createHostRules, isLoopback } from './hosts.ts';

/** Why a request is not let in. `message` is for the agent. */
export interface Refused {
  readonly status: 400 | 401 | 403;
  readonly message: string;
}

export interface Admitted {
  readonly principal: Principal;
  readonly clientAddress: string;
}

/** The door of the public listener for one configuration. Looks at headers and addresses only, so it runs before a body is read. */
export interface Door {
  /** Host, Origin and address: what holds for every path. Returns the agent's address. */
  approach(req: IncomingMessage): string | Refused;
  /** Who it is, and whether this agent may come from there. */
  enter(req: IncomingMessage, clientAddress: string): Admitted | Refused;
}

const malformedHost: Refused = { status: 400, message: 'exactly one well-formed Host header is needed' };
const foreignHost: Refused = { status: 403, message: 'this Host is not allowed here' };
const foreignOrigin: Refused = { status: 403, message: 'this Origin is not allowed here' };
const foreignAddress: Refused = { status: 403, message: 'this address is not allowed here' };
const unauthenticated: Refused = { status: 401, message: 'a valid API key is needed: Authorization: Bearer <key>' };

/**
 * Builds the door for a configuration and the address the listener is bound to. Throws an OperatorError for a list with a bad entry,
 * and where nobody would be asked for a key although others than this machine can connect.
 */
export function createDoor(config: Config, bind: string, options: AuthenticateOptions = {}): Door {
  if (config.auth.mode === 'none' && !isLoopback(bind)) {
    throw new OperatorError(exitCode.usage, `auth.mode: none is refused on ${bind}`, {
      hint: 'bind to 127.0.0.1, or use auth.mode: keys',
    });
  }
  const rules = createHostRules(config.access, bind);
  const allowed = createAddressList(config.access.allowIps, 'access.allowIps');
  const proxies = createAddressList(config.access.trustedProxies, 'access.trustedProxies');
  const authenticate = createAuthenticate(config, options);
  const agentAddresses = new Map<string, AddressList>();
  for (const [id, agent] of Object.entries(config.agents)) {
    if (agent.ips.length > 0) agentAddresses.set(id, createAddressList(agent.ips, `agents.${id}.ips`));
  }

  return {
    approach(req) {
      if (countHosts(req.rawHeaders) !== 1) return malformedHost;
      const verdict = rules.host(req.headers.host ?? '');
      if (verdict === 'malformed') return malformedHost;
      if (verdict === 'foreign') return foreignHost;
      if (!rules.origin(req.headers.origin)) return foreignOrigin;
      const address = clientAddress(req.socket.remoteAddress, forwardedFor(req), proxies);
      if (address === undefined) return foreignAddress;
      return allowed.empty || allowed.has(address) ? address : foreignAddress;
    },
    enter(req, address) {
      const principal = authenticate(req.headers.authorization);
      if (principal === undefined) return unauthenticated;
      const addresses = principal.method === 'none' ? undefined : agentAddresses.get(principal.id);
      if (addresses !== undefined && !addresses.has(address)) return foreignAddress;
      return { principal, clientAddress: address };
    },
  };
}

/** Node keeps the first of two Host headers, a proxy before us may have used the second. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

function forwardedFor(req: IncomingMessage): string | undefined {
  const value = req.headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : value;
}
