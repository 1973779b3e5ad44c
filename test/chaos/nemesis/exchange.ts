import { type IncomingHttpHeaders, request } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { RpcMessage } from '../../helpers/rpc.ts';

export interface ExchangeOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal: AbortSignal;
  onHeaders?(status: number): void;
  onMessage?(message: RpcMessage): void;
  /** Every event id, that of a priming event too. */
  onEventId?(id: string): void;
}

export interface Exchanged {
  /** 0 when the connection broke before a status came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The whole of the answer came. */
  readonly complete: boolean;
}

/** One HTTP exchange, JSON or event stream. Never rejects. */
export function exchange(url: string, options: ExchangeOptions): Promise<Exchanged> {
  const { method, headers, body, signal, onMessage } = options;
  return new Promise((resolve) => {
    const sent = {
      accept: 'application/json, text/event-stream',
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    };
    const req = request(url, { method, headers: sent, agent: false, signal }, (res) => {
      const status = res.statusCode ?? 0;
      const chunks: Buffer[] = [];
      const streams = res.headers['content-type']?.includes('text/event-stream') === true;
      const parser = createParser({
        onEvent({ id, data }) {
          if (id !== undefined) options.onEventId?.(id);
          if (data !== '') onMessage?.(JSON.parse(data) as RpcMessage);
        },
      });
      options.onHeaders?.(status);
      res.on('data', (chunk: Buffer) => {
        if (streams) parser.feed(chunk.toString('utf8'));
        else chunks.push(chunk);
      });
      res.on('error', () => undefined);
      res.on('close', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (res.complete && !streams && res.headers['content-type']?.includes('json') === true && text !== '')
          onMessage?.(JSON.parse(text) as RpcMessage);
        resolve({ status, headers: res.headers, complete: res.complete });
      });
    });
    req.on('error', () => resolve({ status: 0, headers: {}, complete: false }));
    req.end(body && JSON.stringify(body));
  });
}
