import type { Principal } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Endpoint } from '../request.ts';

/** What `initialize` settles for the life of a session. */
export interface SessionFacts {
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo?: JsonObject | undefined;
}

/** One legacy session as any ingress sees it: nothing here is remembered, it was all inside the id the agent sent. */
export interface LegacySession extends SessionFacts {
  /** Digest of the session id: safe for subjects, stores and logs, where the id itself must not stand. */
  readonly key: string;
  readonly principal: Principal;
  readonly endpoint: Endpoint;
}
