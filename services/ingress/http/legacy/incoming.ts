import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { type RequestId, type RpcError, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { echoableId, shapeOf } from '../json-rpc-shape.ts';

/** One JSON-RPC message of an agent, checked for its shape. */
export type Incoming = IncomingRequest | IncomingNotification | IncomingResponse;

export interface IncomingRequest {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
}

export interface IncomingNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

/** The agent's answer to a question of ours. */
export interface IncomingResponse {
  readonly kind: 'response';
  readonly message: JsonObject;
}

export type Body =
  | { readonly kind: 'messages'; readonly messages: readonly Incoming[]; readonly batch: boolean }
  | { readonly kind: 'invalid'; readonly id: RequestId | null; readonly error: RpcError };

/** More messages in one batch are refused, as the SDK does. */
const maxBatch = 100;

/** Reads the body of a POST: one message, or a batch (2025-03-26). */
export function readBody(body: unknown): Body {
  const batch = Array.isArray(body);
  const values: unknown[] = batch ? body : [body];
  if (values.length === 0) return invalid(null, 'the batch is empty');
  if (values.length > maxBatch) return invalid(null, `a batch holds at most ${maxBatch} messages`);
  const messages: Incoming[] = [];
  for (const value of values) {
    const message = shapeOf(value);
    if (message.kind === 'invalid') return invalid(batch ? null : echoableId(body), message.why);
    if (message.kind !== 'response') messages.push(message);
    else if (isJsonObject(value)) messages.push({ kind: 'response', message: value });
  }
  return { kind: 'messages', messages, batch };
}

function invalid(id: RequestId | null, why: string): Body {
  return { kind: 'invalid', id, error: { code: rpcCode.invalidRequest, message: `Invalid request: ${why}` } };
}

export function isRequest(message: Incoming): message is IncomingRequest {
  return message.kind === 'request';
}
