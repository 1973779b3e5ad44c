import type { OutgoingHttpHeaders } from 'node:http';
import type { GatewayError } from '../../../../shared/errors.ts';
import type { RequestId, RpcError } from '../../../../shared/mcp/json-rpc.ts';
import { asciiJson, gatewayErrorBody, gatewayErrorHeaders, joined, type Pieces, rpcErrorBody } from '../answers.ts';

/** How one request of an agent ended. */
export interface Answer {
  /** JSON text of the JSON-RPC response; undefined for a cancelled request, which gets none. */
  readonly body: string | Uint8Array | undefined;
  /** The same text, where it need not be put together. */
  readonly pieces?: Pieces | undefined;
  /** Of the HTTP response, when this answer is the whole of it. */
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders | undefined;
}

/** A cancelled request gets no response (2025-11-25, basic/utilities/cancellation). */
export const noAnswer: Answer = { body: undefined, status: 200 };

/** Splices the JSON text of a result into a response, without looking at it. */
export function resultAnswer(id: RequestId, result: string | Uint8Array, headers?: OutgoingHttpHeaders): Answer {
  const head = `{"jsonrpc":"2.0","id":${asciiJson(id)},"result":`;
  if (typeof result === 'string') return { body: `${head}${result}}`, status: 200, headers };
  return new ResultAnswer({ head, body: result, tail: '}' }, headers);
}

/** Puts its text together only for who cannot send it in pieces. */
class ResultAnswer implements Answer {
  readonly status = 200;
  readonly pieces: Pieces;
  readonly headers: OutgoingHttpHeaders | undefined;

  constructor(pieces: Pieces, headers: OutgoingHttpHeaders | undefined) {
    this.pieces = pieces;
    this.headers = headers;
  }

  get body(): Uint8Array {
    return joined(this.pieces);
  }
}

export function errorAnswer(
  id: RequestId | null,
  error: RpcError,
  status = 200,
  headers?: OutgoingHttpHeaders | undefined,
): Answer {
  return { body: rpcErrorBody(id, error), status, headers };
}

export function gatewayAnswer(id: RequestId | null, error: GatewayError, callId: string): Answer {
  return { body: gatewayErrorBody(id, error, callId), status: error.status, headers: gatewayErrorHeaders(error) };
}
