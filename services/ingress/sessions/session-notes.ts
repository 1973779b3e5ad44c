import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';

/**
 * What ingresses say to each other about one session. It shares the session's subject with JSON-RPC messages for the agent and is
 * told apart by the member `toolbus`, which no JSON-RPC message has.
 */
export type SessionNote =
  /** The agent cancelled a request that another ingress may hold. */
  | { readonly toolbus: 'cancel'; readonly requestId: RequestId; readonly reason?: string | undefined }
  /** The agent subscribed or unsubscribed; for whoever holds its stream. */
  | { readonly toolbus: 'subscribe' | 'unsubscribe'; readonly uri: string }
  /** A message POSTed for an HTTP+SSE stream that another ingress holds, which answers with `taken`. */
  | {
      readonly toolbus: 'post';
      readonly from: string;
      readonly n: number;
      readonly body: JsonObject | JsonObject[];
      readonly clientAddress: string;
      readonly headers: Record<string, string>;
    };

/** Sent to the ingress that relayed a POST: the stream is held here. */
export interface TakenNote {
  readonly toolbus: 'taken';
  readonly n: number;
}

/** A note as the JSON the bus carries. */
export function noteMessage(note: SessionNote | TakenNote): JsonObject {
  return { ...note };
}

export function readTaken(message: JsonObject): TakenNote | undefined {
  const { toolbus, n } = message;
  return toolbus === 'taken' && typeof n === 'number' ? { toolbus, n } : undefined;
}

/** The note in a message of the bus; undefined for anything else, such as a JSON-RPC message. */
export function readNote(message: JsonObject): SessionNote | undefined {
  const { toolbus, requestId, reason, uri, from, n, body, clientAddress, headers } = message;
  switch (toolbus) {
    case 'cancel':
      if (typeof requestId !== 'string' && typeof requestId !== 'number') return undefined;
      return { toolbus, requestId, reason: typeof reason === 'string' ? reason : undefined };
    case 'subscribe':
    case 'unsubscribe':
      return typeof uri === 'string' ? { toolbus, uri } : undefined;
    case 'post': {
      const messages = isJsonObject(body) || (Array.isArray(body) && body.every(isJsonObject)) ? body : undefined;
      if (typeof from !== 'string' || typeof n !== 'number' || typeof clientAddress !== 'string') return undefined;
      return messages && { toolbus, from, n, body: messages, clientAddress, headers: stringsOf(headers) };
    }
    default:
      return undefined;
  }
}

function stringsOf(value: unknown): Record<string, string> {
  const strings: Record<string, string> = Object.create(null);
  if (!isJsonObject(value)) return strings;
  for (const [name, text] of Object.entries(value)) if (typeof text === 'string') strings[name] = text;
  return strings;
}
