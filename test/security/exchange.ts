import http from 'node:http';
import { text } from 'node:stream/consumers';
import { createParser } from 'eventsource-parser';
import type { RpcMessage } from '../helpers/rpc.ts';

/** One HTTP request as bytes, for a test to spoil. */
export interface HttpRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** What an HTTP request came to, and the JSON-RPC answer where there was one, on whatever stream. */
export interface Outcome {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  readonly message: RpcMessage | undefined;
}

/** Kept-alive connections to one listener. */
export interface Connections {
  /** One request; resolves with the head of its answer. */
  open(request: HttpRequest): Promise<http.IncomingMessage>;
  /** One request and the whole of its answer. */
  exchange(request: HttpRequest): Promise<Outcome>;
  close(): void;
}

export function connectTo(origin: string): Connections {
  const { hostname, port } = new URL(origin);
  const agent = new http.Agent({ keepAlive: true });
  const open = (asked: HttpRequest): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method = 'POST', path, headers, body } = asked;
      const request = http.request({ hostname, port, agent, method, path, headers: { ...headers } });
      request.on('response', resolve);
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The listener may close a connection while a request is on its way to it: none of it was read.
        if (request.reusedSocket && error.code === 'ECONNRESET') open(asked).then(resolve, reject);
        else reject(error);
      });
      request.end(body);
    });
  return {
    open,
    exchange: async (request) => read(await open(request)),
    close: () => agent.destroy(),
  };
}

/** Reads an answer to its end. */
export async function read(response: http.IncomingMessage): Promise<Outcome> {
  const body = await text(response);
  const headers = new Headers();
  for (let at = 0; at + 1 < response.rawHeaders.length; at += 2)
    headers.append(response.rawHeaders[at] ?? '', response.rawHeaders[at + 1] ?? '');
  return {
    status: response.statusCode ?? 0,
    headers,
    body,
    message: answerIn(headers.get('content-type') ?? '', body),
  };
}

/** The JSON-RPC answer in a body: all of it, or the last message of an event stream. */
function answerIn(type: string, body: string): RpcMessage | undefined {
  if (type.startsWith('application/json') && body !== '') return JSON.parse(body) as RpcMessage;
  if (!type.startsWith('text/event-stream')) return undefined;
  let last: RpcMessage | undefined;
  const onEvent = ({ data }: { readonly data: string }): void => {
    if (data !== '') last = JSON.parse(data) as RpcMessage;
  };
  createParser({ onEvent }).feed(body);
  return last?.method === undefined ? last : undefined;
}
