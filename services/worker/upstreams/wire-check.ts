import { isAscii } from 'node:buffer';
import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type {
  JsonRpcFailure,
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResult,
} from '../../../shared/mcp/json-rpc.ts';

/**
 * Checks the structure of one message of an upstream before anything is done with it (specification 2026-07-28, basic/index: version, type of the id,
 * result or error but not both, integer code). Undefined for everything else; unknown members are kept.
 */
export function checkMessage(value: JsonValue | undefined): JsonRpcMessage | undefined {
  if (!isJsonObject(value) || value['jsonrpc'] !== '2.0') return undefined;
  const { id, method, params, result, error } = value;
  if (method !== undefined) {
    if (typeof method !== 'string' || result !== undefined || error !== undefined) return undefined;
    if (params !== undefined && !isJsonObject(params)) return undefined;
    if (id === undefined) return value as object as JsonRpcNotification;
    return isId(id) ? (value as object as JsonRpcRequest) : undefined;
  }
  if (result !== undefined) {
    return error === undefined && isId(id) && isJsonObject(result) ? (value as object as JsonRpcResult) : undefined;
  }
  if (!isJsonObject(error) || !Number.isInteger(error['code']) || typeof error['message'] !== 'string')
    return undefined;
  return id === undefined || id === null || isId(id) ? (value as object as JsonRpcFailure) : undefined;
}

function isId(id: JsonValue | undefined): boolean {
  return typeof id === 'string' || Number.isInteger(id);
}

/** Above this many bytes a look at the encoding costs less than decoding without it. */
const lookAtEncodingBytes = 4_096;

/** Parses JSON text in UTF-8; undefined when it is none. */
export function parseJson(bytes: Buffer): JsonValue | undefined {
  return parseText(bytes.toString(bytes.length > lookAtEncodingBytes && isAscii(bytes) ? 'latin1' : 'utf8'));
}

function parseText(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
