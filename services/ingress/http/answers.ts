import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { GatewayError } from '../../../shared/errors.ts';
import type { CallTiming } from '../../../shared/mcp/call.ts';
import type { RequestId, RpcError } from '../../../shared/mcp/json-rpc.ts';

/**
 * Sends one whole `application/json` answer. Does nothing when the response has begun, ended or lost its agent.
 * A string is sent as UTF-8.
 */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: Uint8Array | string,
  headers?: OutgoingHttpHeaders,
): void {
  if (res.headersSent || res.destroyed) return;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers });
  res.end(body);
}

/** One JSON text in pieces that follow one another, so that a large body is never copied. `head` and `tail` are ASCII. */
export interface Pieces {
  readonly head: string;
  readonly body: Uint8Array;
  readonly tail: string;
}

/** Up to this size an answer leaves in one write with its headers; above, the copy would cost more than the second write. */
const oneWriteBytes = 16_384;

/** As `sendJson`, of a text in pieces. */
export function sendPieces(
  res: ServerResponse,
  status: number,
  { head, body, tail }: Pieces,
  headers?: OutgoingHttpHeaders,
): void {
  if (res.headersSent || res.destroyed) return;
  const length = head.length + body.byteLength + tail.length;
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers });
  if (body.byteLength <= oneWriteBytes) {
    // Node joins headers and body into one write for strings alone; latin1 carries every byte as it is.
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
    res.end(head + text + tail, 'latin1');
    return;
  }
  res.cork();
  res.write(head, 'latin1');
  res.write(body);
  res.end(tail, 'latin1');
  res.uncork();
}

export function joined({ head, body, tail }: Pieces): Buffer {
  return Buffer.concat([Buffer.from(head, 'latin1'), body, Buffer.from(tail, 'latin1')]);
}

/** JSON text of an id in ASCII, so that it is the same bytes in every encoding it may be written with. */
export function asciiJson(id: RequestId): string {
  if (typeof id === 'number') return String(id);
  return JSON.stringify(id).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Sends an answer without body, such as 202 for a notification. */
export function sendEmpty(res: ServerResponse, status: number, headers?: OutgoingHttpHeaders): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, { 'content-length': 0, ...headers });
  res.end();
}

/** JSON text of a JSON-RPC error response; `id` is null where the request's own could not be read (JSON-RPC 2.0 §5). */
export function rpcErrorBody(id: RequestId | null, error: RpcError): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(error)}}`;
}

/** The error member that an agent sees for an error of toolbus itself (CONTRACT §5). */
export function gatewayRpcError(error: GatewayError, callId: string): RpcError {
  const { reason, executed, retryAfterMs } = error;
  const data = retryAfterMs === undefined ? { callId, reason, executed } : { callId, reason, executed, retryAfterMs };
  return { code: error.code, message: error.message, data };
}

/** JSON text of the whole response for an error of toolbus itself. */
export function gatewayErrorBody(id: RequestId | null, error: GatewayError, callId: string): string {
  return rpcErrorBody(id, gatewayRpcError(error, callId));
}

/** HTTP headers that go with an error of toolbus itself: `Retry-After` in whole seconds, `Connection: close` while shutting down. */
export function gatewayErrorHeaders(error: GatewayError): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  if (error.status === 429 || error.status === 503) {
    headers['retry-after'] = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 0) / 1000)));
  }
  if (error.reason === 'shutting_down') headers['connection'] = 'close';
  return headers;
}

/** Value of `Server-Timing` for a call: what the gateway itself took and what its upstream took, in milliseconds. */
export function serverTiming(totalMs: number, timing: CallTiming | undefined): string {
  const upstreamMs = timing?.upstreamMs ?? 0;
  const gatewayMs = Math.max(0, totalMs - upstreamMs);
  return `gateway;dur=${round(gatewayMs)}, upstream;dur=${round(upstreamMs)}`;
}

/** Microseconds are as fine as the clock is worth; `toFixed` would cost five times as much. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
