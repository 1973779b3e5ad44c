import { exchange } from '../chaos/nemesis/exchange.ts';
import type { RpcMessage } from './rpc.ts';
import { until } from './until.ts';

/** An event stream that is being read. */
export interface StreamReader {
  readonly status: Promise<number>;
  readonly messages: readonly RpcMessage[];
  /** Id of the newest event, a priming one included. */
  readonly lastEventId: string | undefined;
  /** The first message, past or future, that matches. */
  next(matches: (message: RpcMessage) => boolean, withinMs?: number): Promise<RpcMessage>;
  /** Breaks the connection. */
  drop(): void;
  readonly ended: Promise<unknown>;
}

/** Reads what a GET, or a POST with a body, answers. */
export function readStream(url: string, headers: Readonly<Record<string, string>>, body?: object): StreamReader {
  const broken = new AbortController();
  const messages: RpcMessage[] = [];
  let lastEventId: string | undefined;
  let answered = (_status: number) => {};
  const status = new Promise<number>((resolve) => {
    answered = resolve;
  });
  const ended = exchange(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? { ...headers, accept: 'text/event-stream' } : headers,
    ...(body && { body }),
    signal: broken.signal,
    onHeaders: (value) => answered(value),
    onMessage: (message) => void messages.push(message),
    onEventId(id) {
      lastEventId = id;
    },
  }).finally(() => answered(0));
  return {
    status,
    messages,
    get lastEventId() {
      return lastEventId;
    },
    next: (matches, withinMs) => until('the message comes', () => messages.find(matches), withinMs),
    drop: () => broken.abort(),
    ended,
  };
}
