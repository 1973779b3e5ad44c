import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';
import { isRequestId } from './json-guard.ts';

/** A JSON-RPC message told apart by its members; names are case-sensitive, so `Method` is no method. */
export type Message =
  | { readonly kind: 'request'; readonly id: RequestId; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'response' }
  | { readonly kind: 'invalid'; readonly why: string };

const noParams: JsonObject = Object.freeze({});

/** Reads one message. `params` is an empty object when absent; MCP allows no array there. */
export function shapeOf(body: unknown): Message {
  if (!isJsonObject(body)) return { kind: 'invalid', why: 'the body is no JSON-RPC message' };
  if (body['jsonrpc'] !== '2.0') return { kind: 'invalid', why: '"jsonrpc" is not "2.0"' };
  const { id, method, params = noParams } = body;
  if (method === undefined) {
    if ((body['result'] === undefined) === (body['error'] === undefined)) {
      return { kind: 'invalid', why: '"method" is missing' };
    }
    return id === undefined || id === null || isRequestId(id)
      ? { kind: 'response' }
      : { kind: 'invalid', why: '"id" is neither a string nor an integer' };
  }
  if (typeof method !== 'string') return { kind: 'invalid', why: '"method" is no string' };
  if (!isJsonObject(params)) return { kind: 'invalid', why: '"params" is no object' };
  if (!Object.hasOwn(body, 'id')) return { kind: 'notification', method, params };
  if (!isRequestId(id)) return { kind: 'invalid', why: '"id" is neither a string nor an integer' };
  return { kind: 'request', id, method, params };
}

/** The id an error can echo; null when there is none to be read. */
export function echoableId(body: unknown): RequestId | null {
  const id = isJsonObject(body) && typeof body['method'] === 'string' ? body['id'] : undefined;
  return isRequestId(id) ? id : null;
}
