import type { JsonObject, JsonValue } from './json.ts';

/** A JSON-RPC id as MCP allows it: a string or an integer, never null. */
export type RequestId = string | number;

export interface JsonRpcRequest {
  jsonrpc: '2.0';
  id: RequestId;
  method: string;
  params?: JsonObject;
}

export interface JsonRpcNotification {
  jsonrpc: '2.0';
  method: string;
  params?: JsonObject;
}

/** The error member of a JSON-RPC response. */
export interface RpcError {
  code: number;
  message: string;
  data?: JsonValue;
}

export interface JsonRpcResult {
  jsonrpc: '2.0';
  id: RequestId;
  result: JsonObject;
}

export interface JsonRpcFailure {
  jsonrpc: '2.0';
  /** Absent only where the request's id could not be read. */
  id?: RequestId | null;
  error: RpcError;
}

export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResult | JsonRpcFailure;

/**
 * JSON-RPC and MCP error codes that toolbus answers with itself.
 * Source: specification 2026-07-28, basic/index, "Error Codes"; the reasons of toolbus have codes of their own in shared/errors.ts.
 */
export const rpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** 2026-07-28: a standard header is missing or differs from the body. */
  headerMismatch: -32020,
  /** 2026-07-28: `data.requiredCapabilities` names what the client lacks. */
  missingClientCapability: -32021,
  /** 2026-07-28: `data.supported` and `data.requested`. */
  unsupportedProtocolVersion: -32022,
  /** Before 2026-07-28: resource not found. */
  legacyResourceNotFound: -32002,
  /** 2025-11-25 only: the client must open a URL first. */
  legacyUrlElicitationRequired: -32042,
} as const;
