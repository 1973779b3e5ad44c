import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { identityOf, type Principal } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { isLegacyRevision } from '../../../shared/mcp/revisions.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { Endpoint } from '../request.ts';
import { boundedCapabilities, boundedClientInfo } from './bounded-facts.ts';
import type { LegacySession, SessionFacts } from './legacy-session.ts';

/** A session ends this long after `initialize`, used or not: no ingress can know when another one last saw it. */
export const sessionTtlMs = 7 * 24 * 3_600_000;

/** Longest id taken from an agent; ours stay below. */
const maxIdLength = 4095;
const cachedIds = 4096;

/** A stream of HTTP+SSE (2024-11-05): it has no facts before `initialize`, which comes over the stream. */
export interface SseSession {
  readonly key: string;
  readonly endpoint: Endpoint;
}

/** Session ids that describe themselves, so that an ingress needs no table to know a session (DESIGN D3). */
export interface SessionIds {
  /** A new id for an agent that sent `initialize`: base64url, below 4 KiB. */
  mint(principal: Principal, endpoint: Endpoint, facts: SessionFacts): string;
  /** The session of an id; undefined when the id is not ours, was changed, is too old, or belongs to another principal. */
  open(id: string, principal: Principal): LegacySession | undefined;
  mintSse(principal: Principal, endpoint: Endpoint): string;
  openSse(id: string, principal: Principal): SseSession | undefined;
}

/** `now` gives epoch milliseconds. */
export function createSessionIds(sealer: Sealer, now: () => number = Date.now): SessionIds {
  // Decryption and parsing would otherwise be paid on every request of a busy session.
  const opened = new LRUCache<string, { session: LegacySession; bound: string; endsAt: number }>({ max: cachedIds });

  const unseal = (purpose: string, id: string, bound: string) => {
    if (id.length > maxIdLength) return undefined;
    const payload = sealer.open(purpose, id, bound);
    const issuedAt = payload?.['t'];
    const endpoint = endpointOf(payload?.['e']);
    if (payload === undefined || typeof issuedAt !== 'number' || endpoint === undefined) return undefined;
    const endsAt = issuedAt + sessionTtlMs;
    return now() < endsAt ? { payload, endpoint, endsAt } : undefined;
  };

  return {
    mint(principal, endpoint, facts) {
      const clientInfo = boundedClientInfo(facts.clientInfo);
      return sealer.seal(
        'session',
        {
          v: facts.protocolVersion,
          c: boundedCapabilities(facts.capabilities),
          ...(clientInfo && { i: clientInfo }),
          ...issue(endpoint, now()),
        },
        boundTo(principal),
      );
    },
    open(id, principal) {
      const bound = boundTo(principal);
      const known = opened.get(id);
      if (known !== undefined && known.bound === bound && now() < known.endsAt) {
        if (known.session.principal === principal) return known.session;
        // The same agent with a newer token, whose scopes may be others.
        const session = { ...known.session, principal };
        opened.set(id, { ...known, session });
        return session;
      }
      const found = unseal('session', id, bound);
      if (found === undefined) return undefined;
      const { v: protocolVersion, c: capabilities, i: clientInfo } = found.payload;
      if (typeof protocolVersion !== 'string' || !isLegacyRevision(protocolVersion)) return undefined;
      const session: LegacySession = {
        key: keyOf(id),
        principal,
        endpoint: found.endpoint,
        protocolVersion,
        capabilities: isJsonObject(capabilities) ? capabilities : {},
        clientInfo: isJsonObject(clientInfo) ? clientInfo : undefined,
      };
      opened.set(id, { session, bound, endsAt: found.endsAt });
      return session;
    },
    mintSse(principal, endpoint) {
      return sealer.seal('session.sse', issue(endpoint, now()), boundTo(principal));
    },
    openSse(id, principal) {
      const found = unseal('session.sse', id, boundTo(principal));
      return found && { key: keyOf(id), endpoint: found.endpoint };
    },
  };
}

function issue(endpoint: Endpoint, at: number): JsonObject {
  const name = endpoint.kind === 'all' ? undefined : endpoint.name;
  return {
    e: { kind: endpoint.kind, ...(name !== undefined && { name }) },
    t: at,
    n: randomBytes(16).toString('base64url'),
  };
}

function boundTo(principal: Principal): string {
  return `${principal.method}\0${identityOf(principal)}`;
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 22);
}

function endpointOf(value: unknown): Endpoint | undefined {
  if (!isJsonObject(value)) return undefined;
  const { kind, name } = value;
  if (kind === 'all') return { kind };
  if ((kind === 'server' || kind === 'toolset') && typeof name === 'string') return { kind, name };
  return undefined;
}
