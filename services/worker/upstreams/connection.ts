import type { GatewayError } from '../../../shared/errors.ts';
import type { JsonRpcMessage } from '../../../shared/mcp/json-rpc.ts';

/** Who takes what a connection receives. Nothing is called before the connection's opener has returned. */
export interface Receiver {
  /** A message that passed `checkMessage`. `origin` is the request on whose own stream it came; undefined on a shared channel. `bytes`: the text that was parsed, where it held nothing else. */
  onMessage(message: JsonRpcMessage, origin: number | undefined, bytes?: Buffer): void;
  /** Bytes that are no message: counted, never shown. */
  onGarbage(): void;
  /** The request will not be answered any more. */
  onLost(id: number, error: GatewayError): void;
  /** The connection is over, and with it every request on it. */
  onClosed(error: GatewayError): void;
}

/** A JSON-RPC duplex to one upstream, whatever carries it. */
export interface Connection {
  /**
   * Sends a message. That a request could not be sent is told through `onLost`. `headers` go with it where there are HTTP headers, as a
   * flat list of names and values.
   */
  send(message: JsonRpcMessage, headers?: readonly string[]): void;
  /** Nobody waits for this request any more: its stream, where it has one, is ended. */
  drop(id: number): void;
  /** Legacy: `initialize` was answered with this revision. */
  established(protocolVersion: string): void;
  /** Ends it without `onClosed`. */
  close(): Promise<void>;
}

/** Marks, as the cause of a GatewayError, that the upstream does not know our legacy session (any more): nothing ran. */
export class SessionGone extends Error {
  override readonly name = 'SessionGone';
}

export function isSessionGone(error: GatewayError): boolean {
  return error.cause instanceof SessionGone;
}
