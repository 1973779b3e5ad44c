import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Events the agent has not read yet may take this much memory before the stream is cut. */
export const sseQueueBytes = 1_048_576;

const lf = 10;
const cr = 13;
const dataField = Buffer.from('data: ');
const eventEnd = Buffer.from('\n\n');

export interface SseStream {
  /**
   * Writes one event. Line ends inside `data` become further `data:` lines, which a reader joins with LF.
   * `id` becomes the event id and must hold no line end. Nothing is written once the stream is closed.
   */
  event(data: string | Uint8Array, options?: SseEventOptions | string): void;
  /** A line readers skip: keeps proxies from cutting a quiet stream. */
  comment(text?: string): void;
  /** Ends the response after what was written. */
  end(): void;
  /** True once ended, cut, or closed by the agent. */
  readonly closed: boolean;
  /** Bytes the agent has not taken yet. */
  readonly queuedBytes: number;
}

export interface SseEventOptions {
  readonly id?: string;
  /** Name of the event; absent means `message`. */
  readonly event?: string;
  /** Milliseconds after which the reader should reconnect. */
  readonly retryMs?: number;
}

export interface SseOptions {
  readonly headers?: OutgoingHttpHeaders;
  readonly status?: number;
  /** A reader that leaves more than this many bytes queued is cut off. Default 1 MiB. */
  readonly maxQueuedBytes?: number;
}

/**
 * Turns a response into an event stream and sends its headers at once.
 * A slow reader is cut, because an agent that stopped reading must not grow our memory. The bound counts what was queued before
 * the newest event, so that one large event still passes.
 */
export function openSse(res: ServerResponse, options: SseOptions = {}): SseStream {
  const maxQueued = options.maxQueuedBytes ?? sseQueueBytes;
  if (!res.headersSent && !res.destroyed) {
    res.writeHead(options.status ?? 200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      // nginx buffers event streams without it (specification 2026-07-28, basic/transports/streamable-http).
      'x-accel-buffering': 'no',
      ...options.headers,
    });
    res.flushHeaders();
  }
  res.socket?.setNoDelay(true);

  const isClosed = () => res.writableEnded || res.destroyed;
  const mayWrite = () => {
    if (isClosed()) return false;
    if (res.writableLength <= maxQueued) return true;
    res.destroy();
    return false;
  };

  return {
    event(data, given) {
      if (!mayWrite()) return;
      const { id, event, retryMs }: SseEventOptions = typeof given === 'string' ? { id: given } : (given ?? {});
      let head = '';
      if (event !== undefined) head += `event: ${oneLine(event)}\n`;
      if (id !== undefined) head += `id: ${oneLine(id)}\n`;
      if (retryMs !== undefined) head += `retry: ${retryMs}\n`;
      if (typeof data === 'string') {
        res.write(`${head}data: ${hasLineEnd(data) ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data}\n\n`);
        return;
      }
      // Only one write reaches the socket for the pieces, so that the body is never copied.
      res.cork();
      if (head !== '') res.write(head);
      writeLines(res, data);
      res.write(eventEnd);
      res.uncork();
    },
    comment(text = '') {
      if (mayWrite()) res.write(`: ${oneLine(text)}\n\n`);
    },
    end() {
      if (!isClosed()) res.end();
    },
    get closed() {
      return isClosed();
    },
    get queuedBytes() {
      return res.writableLength;
    },
  };
}

function hasLineEnd(text: string): boolean {
  return text.includes('\n') || text.includes('\r');
}

function oneLine(text: string): string {
  return hasLineEnd(text) ? text.replaceAll(/[\r\n]+/g, ' ') : text;
}

function writeLines(res: ServerResponse, data: Uint8Array): void {
  res.write(dataField);
  let start = 0;
  for (let at = nextLineEnd(data, 0); at !== -1; at = nextLineEnd(data, start)) {
    res.write(data.subarray(start, at));
    res.write('\n');
    res.write(dataField);
    start = data[at] === cr && data[at + 1] === lf ? at + 2 : at + 1;
  }
  res.write(start === 0 ? data : data.subarray(start));
}

function nextLineEnd(data: Uint8Array, from: number): number {
  const atLf = data.indexOf(lf, from);
  const atCr = data.indexOf(cr, from);
  if (atLf === -1) return atCr;
  return atCr === -1 ? atLf : Math.min(atLf, atCr);
}
