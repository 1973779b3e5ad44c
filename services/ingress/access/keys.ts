import { createHash, timingSafeEqual } from 'node:crypto';
import { keyOf } from '../../../shared/config/schema/agents.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { Principal } from '../../../shared/mcp/call.ts';

/** Who shows an API key, and until when it counts. */
export interface KeyHolder {
  readonly principal: Principal;
  /** Epoch milliseconds; infinite for a key without end. */
  readonly endsAt: number;
}

/** The API keys of a configuration, known as SHA-256 digests alone. */
export interface KeyRing {
  readonly size: number;
  /** The holder of the key with this digest; undefined for one that is unknown or over. */
  holder(digest: Buffer, hex: string): KeyHolder | undefined;
}

interface KnownKey extends KeyHolder {
  readonly digest: Buffer;
}

/**
 * Reads the keys of all agents. They are 256 random bits, so a slow hash would add nothing. `developmentKey` stands for everything.
 * Throws an OperatorError for a key that two agents share. `now` gives epoch milliseconds.
 */
export function createKeyRing(
  agents: Config['agents'],
  developmentKey: string | undefined,
  now: () => number = Date.now,
): KeyRing {
  const known = new Map<string, KnownKey>();
  for (const [id, agent] of Object.entries(agents)) {
    const principal: Principal = { id, method: 'key' };
    for (const entry of agent.keys) {
      const { hex, endsAt } = keyOf(entry);
      const other = known.get(hex)?.principal.id;
      if (other !== undefined && other !== id) {
        throw new OperatorError(exitCode.usage, `agents.${id}.keys: the agent "${other}" has the same key`);
      }
      known.set(hex, { digest: Buffer.from(hex, 'hex'), principal, endsAt });
    }
  }
  if (developmentKey !== undefined) {
    const digest = createHash('sha256').update(developmentKey).digest();
    const principal: Principal = { id: 'development', method: 'development' };
    known.set(digest.toString('hex'), { digest, principal, endsAt: Number.POSITIVE_INFINITY });
  }
  return {
    size: known.size,
    holder(digest, hex) {
      const key = known.get(hex);
      if (key === undefined || !timingSafeEqual(key.digest, digest)) return undefined;
      return now() < key.endsAt ? key : undefined;
    },
  };
}
