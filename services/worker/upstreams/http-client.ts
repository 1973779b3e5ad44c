import { Pool } from 'undici';
import type { ServerConfig } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { type ExchangeSink, HttpExchange, type OpenExchange } from './http-exchange.ts';
import { limits } from './limits.ts';

/** One HTTP origin with its keep-alive connections, and the operator's headers for it. */
export interface HttpClient {
  readonly path: string;
  readonly url: URL;
  post(headers: readonly string[], body: string, sink: ExchangeSink, path?: string): OpenExchange;
  get(headers: readonly string[], sink: ExchangeSink): OpenExchange;
  delete(headers: readonly string[], sink: ExchangeSink): OpenExchange;
  close(): Promise<void>;
}

/** Headers that the transport writes itself; a configured one of that name would break it. */
const ours = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'transfer-encoding',
]);

/**
 * A client for one URL. The number of connections is not limited here: each call holds one, and the worker bounds the calls.
 * Throws `OperatorError` for a header that HTTP cannot carry, naming the header and never its value.
 */
export function createHttpClient(url: string, config: Pick<ServerConfig, 'headers'>): HttpClient {
  const target = new URL(url);
  const path = `${target.pathname}${target.search}`;
  const configured = operatorHeaders(config.headers, target);
  const common = [...configured, 'accept-encoding', 'identity'];
  const forPost = [...common, 'content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
  const forGet = [...common, 'accept', 'text/event-stream'];
  const pool = new Pool(target.origin, { pipelining: 1, connect: { timeout: limits.connectMs } });
  return {
    path,
    url: target,
    post: (headers, body, sink, to = path) =>
      new HttpExchange(pool, { method: 'POST', path: to, headers: forPost.concat(headers), body }, sink),
    get: (headers, sink) => new HttpExchange(pool, { method: 'GET', path, headers: [...forGet, ...headers] }, sink),
    delete: (headers, sink) =>
      new HttpExchange(pool, { method: 'DELETE', path, headers: [...common, ...headers] }, sink),
    close: () => pool.destroy(),
  };
}

function operatorHeaders(headers: Readonly<Record<string, string>>, url: URL): string[] {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new OperatorError(
        exitCode.usage,
        `header ${JSON.stringify(name)} holds a character that HTTP does not allow`,
      );
    }
    if (!ours.has(name.toLowerCase())) flat.push(name, value);
  }
  if (url.username !== '' && !flat.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization')) {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    flat.push('authorization', `Basic ${Buffer.from(user).toString('base64')}`);
  }
  return flat;
}
