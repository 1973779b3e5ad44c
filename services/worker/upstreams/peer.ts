import { GatewayError } from '../../../shared/errors.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import {
  type JsonRpcFailure,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResult,
  type RequestId,
  type RpcError,
  rpcCode,
} from '../../../shared/mcp/json-rpc.ts';
import { ShortLivedMap } from '../../../shared/short-lived.ts';
import type { Connection, Receiver } from './connection.ts';

/** Who waits for the answer to one request. Exactly one of `onAnswer` and `onLost` is called, once. */
export interface Waiter {
  /** `bytes`: the text of the whole answer, where it came alone. */
  onAnswer(answer: JsonRpcResult | JsonRpcFailure, bytes: Buffer | undefined): void;
  onLost(error: GatewayError): void;
  /** `params` of a progress notification that named the request's id as its token. */
  onProgress?(params: JsonObject): void;
}

/** Takes what the upstream sends that is no answer. `origin` waits for the request on whose stream it came. */
export interface PeerListener {
  onRequest(request: JsonRpcRequest, origin: Waiter | undefined): void;
  onNotification(notification: JsonRpcNotification, origin: Waiter | undefined): void;
  onClosed(error: GatewayError): void;
}

/** An internal request's outcome: requests of our own that belong to no call. */
export type Outcome = { readonly result: JsonObject } | { readonly error: RpcError };

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly headers?: readonly string[];
}

/**
 * JSON-RPC over a connection, as the client side: mints ids, matches answers and progress to whoever waits, counts what fits nobody.
 * An id is an integer that is never used twice on a connection, and the progress token of its request.
 */
export class Peer implements Receiver {
  /** Messages that were no messages, answered nothing or came twice. */
  strays = 0;
  private readonly waiting = new ShortLivedMap<number, Waiter>();
  private connection: Connection | undefined;
  private listener: PeerListener;
  private lastId = 0;
  private closedBy: GatewayError | undefined;
  private readonly onStray: (count: number) => void;

  constructor(onStray: (count: number) => void) {
    this.onStray = onStray;
    this.listener = { onRequest: (request) => this.refuse(request.id), onNotification() {}, onClosed() {} };
  }

  attach(connection: Connection): void {
    this.connection = connection;
  }

  listen(listener: PeerListener): void {
    this.listener = listener;
    if (this.closedBy !== undefined) listener.onClosed(this.closedBy);
  }

  mintId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  /** Sends a request under an id of `mintId`; the waiter may be told `onLost` before this returns. */
  send(id: number, method: string, params: JsonObject, waiter: Waiter, headers?: readonly string[]): void {
    if (this.closedBy !== undefined || this.connection === undefined) {
      waiter.onLost(new GatewayError('no_worker', 'the upstream server is not connected'));
      return;
    }
    this.waiting.set(id, waiter);
    this.connection.send({ jsonrpc: '2.0', id, method, params }, headers);
  }

  /** A request of our own. Rejects with a GatewayError; `upstream_timeout` after `timeoutMs`. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const id = this.mintId();
      const timer = setTimeout(() => {
        this.forget(id);
        reject(new GatewayError('upstream_timeout', `the upstream server did not answer ${method} in time`));
      }, options.timeoutMs);
      const waiter: Waiter = {
        onAnswer(answer) {
          clearTimeout(timer);
          resolve('error' in answer ? { error: answer.error } : { result: answer.result });
        },
        onLost(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.send(id, method, params, waiter, options.headers);
    });
  }

  notify(method: string, params?: JsonObject): void {
    this.connection?.send({ jsonrpc: '2.0', method, ...(params !== undefined && { params }) });
  }

  respond(id: RequestId, result: JsonObject): void {
    this.connection?.send({ jsonrpc: '2.0', id, result });
  }

  refuse(id: RequestId, message = 'Method not found', code: number = rpcCode.methodNotFound): void {
    this.connection?.send({ jsonrpc: '2.0', id, error: { code, message } });
  }

  established(protocolVersion: string): void {
    this.connection?.established(protocolVersion);
  }

  /** Somebody else waits for this request from now on. False when nobody did: it was answered, lost or forgotten. */
  handOver(id: number, waiter: Waiter): boolean {
    if (!this.waiting.has(id)) return false;
    this.waiting.set(id, waiter);
    return true;
  }

  /** Nobody waits for this request any more; a late answer is a stray. */
  forget(id: number): void {
    if (this.waiting.delete(id)) this.connection?.drop(id);
  }

  close(): Promise<void> {
    this.onClosed(new GatewayError('upstream_lost', 'the connection to the upstream server was closed'));
    return this.connection?.close() ?? Promise.resolve();
  }

  onMessage(message: JsonRpcMessage, origin: number | undefined, bytes?: Buffer): void {
    if ('method' in message) {
      const from = origin === undefined ? undefined : this.waiting.get(origin);
      if ('id' in message) this.listener.onRequest(message, from);
      else if (message.method === 'notifications/progress') this.onProgress(message.params, origin);
      else this.listener.onNotification(message, from);
      return;
    }
    const { id } = message;
    // An error without id answers the request whose stream it came on, if any.
    const key = typeof id === 'number' ? id : id === undefined || id === null ? origin : undefined;
    const waiter = key === undefined ? undefined : this.waiting.get(key);
    if (key === undefined || waiter === undefined || (origin !== undefined && origin !== key)) {
      this.onGarbage();
      return;
    }
    this.waiting.delete(key);
    waiter.onAnswer(message, bytes);
  }

  onGarbage(): void {
    this.strays += 1;
    this.onStray(this.strays);
  }

  onLost(id: number, error: GatewayError): void {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    waiter?.onLost(error);
  }

  onClosed(error: GatewayError): void {
    if (this.closedBy !== undefined) return;
    this.closedBy = error;
    const waiters = [...this.waiting.values()];
    this.waiting.clear();
    for (const waiter of waiters) waiter.onLost(error.reason === 'no_worker' ? lostWith(error) : error);
    this.listener.onClosed(error);
  }

  private onProgress(params: JsonObject | undefined, origin: number | undefined): void {
    const token = params?.['progressToken'];
    const waiter = typeof token === 'number' ? this.waiting.get(token) : undefined;
    if (params === undefined || waiter?.onProgress === undefined || (origin !== undefined && origin !== token)) {
      // Late progress is normal: the answer may overtake it.
      return;
    }
    waiter.onProgress(params);
  }
}

/** What was under way when the connection went is lost, whatever the reconnect says. */
function lostWith(error: GatewayError): GatewayError {
  return new GatewayError('upstream_lost', 'the connection to the upstream server broke', { cause: error });
}
