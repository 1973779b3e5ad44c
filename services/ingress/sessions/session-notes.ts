import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';

/**
 * What ingresses say to each other about one session. It shares the session's subject with JSON-RPC messages for the agent and is
 * told apart by the member `toolbus`, which no JSON-RPC message has.
 */
export interface SessionNote {
  /** The agent cancelled a request that another ingress may hold. */
  readonly toolbus: 'cancel';
  readonly requestId: RequestId;
  readonly reason?: string | undefined;
}

/** A note as the JSON the bus carries. */
export function noteMessage(note: SessionNote): JsonObject {
  return { ...note };
}

/** The note in a message of the bus; undefined for anything else, such as a JSON-RPC message. */
export function readNote(message: JsonObject): SessionNote | undefined {
  const { toolbus, requestId, reason } = message;
  if (toolbus !== 'cancel' || (typeof requestId !== 'string' && typeof requestId !== 'number')) return undefined;
  return { toolbus, requestId, reason: typeof reason === 'string' ? reason : undefined };
}
