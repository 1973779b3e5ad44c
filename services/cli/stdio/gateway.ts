import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';

/** The gateway cannot have seen the request: it may be sent again. */
export class Unsent extends Error {
  override readonly name = 'Unsent';
}

/** The connection broke when the request was on its way or its answer was; nobody knows here whether it ran. */
export class Lost extends Error {
  override readonly name = 'Lost';
}

export interface GatewayRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The body is on its way as a whole. */
  onSent?(): void;
}

export interface GatewayResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read or destroyed. */
  readonly body: Readable;
}

/** HTTP to one endpoint. Not `fetch`: that gives up a quiet answer after five minutes, and cannot tell what was never sent. */
export interface Gateway {
  /** Resolves with the head of the response. Rejects with `Unsent` or `Lost`. */
  send(request: GatewayRequest): Promise<GatewayResponse>;
  /** Closes idle connections. */
  close(): void;
}

/** How long a connection may take to be made, in milliseconds. */
const connectMs = 10_000;

/** Talks to `url` (http or https). Redirects are not followed: they would carry the key elsewhere. */
export function createGateway(url: URL): Gateway {
  const secure = url.protocol === 'https:';
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
    : new HttpAgent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const request = secure ? httpsRequest : httpRequest;
  return {
    send({ method, headers, body, signal, onSent }) {
      return new Promise((resolve, reject) => {
        let sent = false;
        const length = body === undefined ? {} : { 'content-length': body.length };
        const req = request(url, { agent, method, headers: { ...headers, ...length }, ...(signal && { signal }) });
        const slow = setTimeout(() => req.destroy(new Error('no connection within 10 s')), connectMs);
        const onConnected = () => {
          sent = true;
          clearTimeout(slow);
        };
        req.once('socket', (socket) => {
          if (!socket.connecting) onConnected();
          else socket.once(secure ? 'secureConnect' : 'connect', onConnected);
        });
        req.once('response', (response) => {
          // Whoever reads the body hears of it there; an error that nobody hears would end the process.
          response.on('error', () => undefined);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
        });
        req.once('error', (error) => {
          clearTimeout(slow);
          reject(sent ? new Lost(error.message, { cause: error }) : new Unsent(error.message, { cause: error }));
        });
        if (onSent !== undefined) req.once('finish', onSent);
        req.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}
