import { createHash, timingSafeEqual } from 'node:crypto';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { Principal } from '../../../shared/mcp/call.ts';

/** The principal that an `Authorization` header proves; undefined when it proves none. */
export type Authenticate = (authorization: string | undefined) => Principal | undefined;

export interface AuthenticateOptions {
  /** The key minted at start when the config names no agents and the bind is loopback. */
  readonly developmentKey?: string | undefined;
}

interface KeyHolder {
  readonly digest: Buffer;
  readonly principal: Principal;
}

const bearer = /^bearer +([!-~]+)$/i;

/**
 * Builds the check for one configuration. Keys are known as SHA-256 digests alone: they are 256 random bits, so a slow hash would add nothing.
 * Throws an OperatorError for a mode that does not exist yet and for a key that two agents share.
 */
export function createAuthenticate(config: Config, options: AuthenticateOptions = {}): Authenticate {
  switch (config.auth.mode) {
    case 'none': {
      const anonymous: Principal = { id: 'anonymous', method: 'none' };
      return () => anonymous;
    }
    case 'keys':
      return authenticateKeys(config, options.developmentKey);
    case 'oauth':
      throw new OperatorError(exitCode.usage, 'auth.mode: oauth is not available in this version', {
        hint: 'use auth.mode: keys; `toolbus keys new AGENT` makes a key',
      });
    default:
      return config.auth.mode satisfies never;
  }
}

function authenticateKeys(config: Config, developmentKey: string | undefined): Authenticate {
  const holders = new Map<string, KeyHolder>();
  for (const [id, agent] of Object.entries(config.agents)) {
    const principal: Principal = { id, method: 'key' };
    for (const key of agent.keys) {
      const hex = key.slice('sha256:'.length);
      const other = holders.get(hex)?.principal.id;
      if (other !== undefined && other !== id) {
        throw new OperatorError(exitCode.usage, `agents.${id}.keys: the agent "${other}" has the same key`);
      }
      holders.set(hex, { digest: Buffer.from(hex, 'hex'), principal });
    }
  }
  if (developmentKey !== undefined) {
    const digest = createHash('sha256').update(developmentKey).digest();
    holders.set(digest.toString('hex'), { digest, principal: { id: 'development', method: 'development' } });
  }
  return (authorization) => {
    const key = authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
    if (key === undefined) return undefined;
    const digest = createHash('sha256').update(key).digest();
    const holder = holders.get(digest.toString('hex'));
    return holder !== undefined && timingSafeEqual(holder.digest, digest) ? holder.principal : undefined;
  };
}
