import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { isLegacyRevision } from '../../../shared/mcp/revisions.ts';

/** A line of the client. `body` is the line itself: what is passed on is what was written. */
export type ClientMessage =
  | {
      readonly kind: 'request';
      readonly id: RequestId;
      readonly method: string;
      readonly params: JsonObject;
      /** The revision that `_meta` claims, which makes it a request of 2026-07-28 or later; undefined: of a session. */
      readonly revision: string | undefined;
      readonly body: Buffer;
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject; readonly body: Buffer }
  | { readonly kind: 'response'; readonly body: Buffer }
  /** Revision 2025-03-26 has batches. */
  | { readonly kind: 'batch'; readonly ids: readonly RequestId[]; readonly body: Buffer }
  | { readonly kind: 'invalid'; readonly answer: string };

export type ClientRequest = Extract<ClientMessage, { kind: 'request' }>;
export type ClientNotification = Extract<ClientMessage, { kind: 'notification' }>;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads one line. What cannot be read is answered as JSON-RPC wants it: with an error and no id. */
export function readMessage(line: Buffer): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch {
    return { kind: 'invalid', answer: errorLine(null, rpcCode.parseError, 'Parse error: this line is not JSON') };
  }
  // The line is a view into a chunk that is used again.
  const body = Buffer.from(line);
  if (Array.isArray(value)) return { kind: 'batch', ids: value.flatMap(idOfRequest), body };
  if (!isJsonObject(value)) return invalid();
  const { id, method } = value;
  const params = isJsonObject(value['params']) ? value['params'] : {};
  if (typeof method !== 'string') return isId(id) ? { kind: 'response', body } : invalid();
  if (id === undefined) return { kind: 'notification', method, params, body };
  if (!isId(id)) return invalid();
  const meta = params['_meta'];
  const claimed = isJsonObject(meta) ? meta[metaKey.protocolVersion] : undefined;
  const revision = typeof claimed === 'string' && !isLegacyRevision(claimed) ? claimed : undefined;
  return { kind: 'request', id, method, params, revision, body };
}

function invalid(): ClientMessage {
  const why = 'Invalid request: this line is no JSON-RPC message';
  return { kind: 'invalid', answer: errorLine(null, rpcCode.invalidRequest, why) };
}

function isId(value: unknown): value is RequestId {
  return typeof value === 'string' || typeof value === 'number';
}

function idOfRequest(value: unknown): RequestId[] {
  return isJsonObject(value) && typeof value['method'] === 'string' && isId(value['id']) ? [value['id']] : [];
}

/** JSON text of an error response. */
export function errorLine(id: RequestId | null, code: number, message: string, data?: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, ...(data && { data }) } });
}

/** What a message of the server is, as far as it must be known to pass it on. */
export interface ServerMessage {
  readonly id: RequestId | null | undefined;
  /** Absent in a response. */
  readonly method: string | undefined;
  readonly value: JsonObject;
}

/** Reads messages of the server: one, or the parts of a batch. Undefined for what is no JSON-RPC. */
export function readServerMessages(text: string): readonly ServerMessage[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const all = Array.isArray(value) ? value : [value];
  const messages: ServerMessage[] = [];
  for (const one of all) {
    if (!isJsonObject(one) || one['jsonrpc'] !== '2.0') return undefined;
    const { id, method } = one;
    messages.push({
      id: isId(id) || id === null ? id : undefined,
      method: typeof method === 'string' ? method : undefined,
      value: one,
    });
  }
  return messages;
}
