import type { JsonValue } from '../../../../shared/mcp/json.ts';
import { type RpcError, rpcCode } from '../../../../shared/mcp/json-rpc.ts';

/** A request that ends on the validation ladder: HTTP status and JSON-RPC error. */
export interface Refusal {
  readonly status: number;
  readonly error: RpcError;
}

/** Builds a refusal; `data` is left out when absent. */
export function refusal(status: number, code: number, message: string, data?: JsonValue): Refusal {
  return { status, error: data === undefined ? { code, message } : { code, message, data } };
}

/** A header that is missing, unreadable, or says something else than the body. */
export function headerMismatch(header: string, why: string): Refusal {
  return refusal(400, rpcCode.headerMismatch, `Header mismatch: ${header}: ${why}`, {
    mismatch: { header, body: why },
  });
}

export function methodNotFound(method: string): Refusal {
  return refusal(404, rpcCode.methodNotFound, `Method not found: ${method.slice(0, 128)}`);
}

/** HTTP status of a JSON-RPC error that an answer carries: the specification's own errors have one, all others are in band. */
export function statusOf(code: number): number {
  switch (code) {
    case rpcCode.methodNotFound:
      return 404;
    case rpcCode.headerMismatch:
    case rpcCode.missingClientCapability:
    case rpcCode.unsupportedProtocolVersion:
      return 400;
    default:
      return 200;
  }
}
