import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { metaKey } from '../../../../shared/mcp/meta.ts';

export interface RawRequest {
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer | undefined;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
}

/** Opens a request and waits for the response's head. */
export function open(request: RawRequest): Promise<{ req: http.ClientRequest; res: http.IncomingMessage }> {
  const { port, method = 'POST', path = '/mcp', headers, body } = request;
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, method, path, agent: false, headers: { ...headers } });
    req.on('error', reject);
    req.on('response', (res) => resolve({ req, res }));
    req.end(body);
  });
}

/** One whole request and answer. */
export async function send(request: RawRequest): Promise<RawResponse> {
  const { res } = await open(request);
  const body = await text(res);
  return { status: res.statusCode ?? 0, headers: res.headers, trailers: res.trailers, body };
}

/** Bytes as they are, for requests no client would write; resolves with all that came back once the server closed. */
export function sendBytes(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

export interface ModernOptions {
  readonly id?: string | number;
  readonly params?: Record<string, unknown>;
  readonly meta?: Record<string, unknown>;
  readonly headers?: http.OutgoingHttpHeaders;
}

/** Headers and body of a correct 2026-07-28 request; what a test gives as undefined is left out. */
export function modern(
  method: string,
  options: ModernOptions = {},
): { headers: http.OutgoingHttpHeaders; body: string } {
  const { id = 1, params = {}, meta, headers } = options;
  const name = params['name'] ?? params['uri'];
  const all: http.OutgoingHttpHeaders = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    ...headers,
  };
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const envelope = { [metaKey.protocolVersion]: '2026-07-28', [metaKey.clientCapabilities]: {}, ...meta };
  return {
    headers: sent,
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: envelope } }),
  };
}

/** The `data` of each event of an event stream's text, as JSON. */
export function eventsOf(stream: string): unknown[] {
  const events: unknown[] = [];
  for (const block of stream.split('\n\n')) {
    const data = block.split('\n').filter((line) => line.startsWith('data: '));
    if (data.length > 0) events.push(JSON.parse(data.map((line) => line.slice(6)).join('\n')));
  }
  return events;
}
