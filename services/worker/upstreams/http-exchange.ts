import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { GatewayError } from '../../../shared/errors.ts';
import type { JsonValue } from '../../../shared/mcp/json.ts';
import { createSseReader } from '../../../shared/mcp/sse-reader.ts';
import { limits } from './limits.ts';
import { parseJson } from './wire-check.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Flat list of names and values. */
  readonly headers: readonly string[];
  readonly body?: string | undefined;
}

/** An HTTP status other than 2xx. */
export interface Refusal {
  readonly status: number;
  /** The JSON body, when it is one. Never shown as it stands. */
  readonly body: JsonValue | undefined;
  readonly retryAfterMs: number | undefined;
  /** `WWW-Authenticate` of a 401. */
  readonly challenge?: string | undefined;
}

/** A request that may be ended without another word to its sink. */
export interface OpenExchange {
  abort(): void;
}

/** What comes back on one HTTP request. After `onEnd`, `onRefused` or `onFailed` nothing more comes. */
export interface ExchangeSink {
  /** 2xx: the head is here. */
  onAccepted(headers: IncomingHttpHeaders, streaming: boolean): void;
  /** A JSON body, or the data of an event, and the bytes that `value` was parsed from; undefined for what is not JSON. */
  onJson(value: JsonValue | undefined, bytes: Buffer): void;
  onText?(event: string, data: string): void;
  onEventId(id: string): void;
  onRetry(retryMs: number): void;
  onEnd(): void;
  onRefused(refusal: Refusal): void;
  onFailed(error: GatewayError): void;
}

type Mode = 'waiting' | 'json' | 'stream' | 'drain' | 'refused' | 'over';

/** One HTTP request and its answer: a JSON body, an event stream or nothing. Never follows a redirect, never decompresses. */
export class HttpExchange implements Dispatcher.DispatchHandler, OpenExchange {
  private readonly sink: ExchangeSink;
  private readonly method: string;
  private mode: Mode = 'waiting';
  private status = 0;
  private retryAfterMs: number | undefined;
  private challenge: string | undefined;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private read: ((chunk: Buffer) => void) | undefined;
  private controller: Dispatcher.DispatchController | undefined;

  constructor(client: Dispatcher, request: HttpRequest, sink: ExchangeSink) {
    this.sink = sink;
    this.method = request.method;
    client.dispatch(
      {
        path: request.path,
        method: request.method,
        headers: request.headers as string[],
        body: request.body ?? null,
        // Deadlines come from outside: undici's own are 300 s, shorter than some tools and longer than most callers wait.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    );
  }

  /** Ends the request without another word to the sink; a server of the modern era takes that as cancel. */
  abort(): void {
    if (this.mode === 'over') return;
    this.finish();
    this.controller?.abort(new Error('nobody waits for this any more'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.mode === 'over') controller.abort(new Error('nobody waits for this any more'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.mode !== 'waiting') return;
    this.status = status;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
      this.fail('the upstream server compressed its answer though it was asked not to');
      return;
    }
    const type = headers['content-type'] ?? '';
    if (status >= 300) {
      if (status < 400) {
        this.fail('the upstream server answered with a redirect, which is refused');
        return;
      }
      this.mode = 'refused';
      this.retryAfterMs = retryAfter(headers['retry-after']);
      if (status === 401) this.challenge = headers['www-authenticate'];
      return;
    }
    if (isType(type, 'text/event-stream')) {
      this.mode = 'stream';
      this.read = this.openReader();
      this.sink.onAccepted(headers, true);
      return;
    }
    const hasBody = status !== 202 && status !== 204 && headers['content-length'] !== '0' && this.method === 'POST';
    if (!hasBody) this.mode = 'drain';
    else if (isType(type, 'application/json')) this.mode = 'json';
    else {
      this.fail('the upstream server answered with something that is neither JSON nor an event stream');
      return;
    }
    this.sink.onAccepted(headers, false);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    switch (this.mode) {
      case 'stream':
        this.read?.(chunk);
        return;
      case 'json':
        this.bytes += chunk.length;
        if (this.bytes > limits.messageBytes) {
          this.tooLarge();
          return;
        }
        this.chunks.push(chunk);
        return;
      case 'refused':
        this.bytes += chunk.length;
        if (this.bytes > limits.errorBodyBytes) {
          this.endRefused(undefined);
          return;
        }
        this.chunks.push(chunk);
        return;
      case 'drain':
        this.bytes += chunk.length;
        if (this.bytes > limits.errorBodyBytes) this.fail('the upstream server sent a body where none belongs');
        return;
      default:
        return;
    }
  }

  onResponseEnd(): void {
    switch (this.mode) {
      case 'json': {
        const bytes = this.whole();
        this.mode = 'drain';
        this.sink.onJson(parseJson(bytes), bytes);
        this.end();
        return;
      }
      case 'refused': {
        this.endRefused(parseJson(this.whole()));
        return;
      }
      case 'stream':
      case 'drain': {
        this.end();
        return;
      }
      default:
        return;
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    if (this.mode === 'over') return;
    const sent = this.controller !== undefined;
    this.finish();
    this.sink.onFailed(
      sent
        ? new GatewayError('upstream_lost', 'the connection to the upstream server broke', { cause })
        : new GatewayError('no_worker', 'the upstream server cannot be reached', { cause }),
    );
  }

  private openReader(): (chunk: Buffer) => void {
    const { sink } = this;
    return createSseReader({
      limitBytes: limits.messageBytes,
      onEvent: (type, data) => {
        if (this.mode !== 'stream') return;
        if (sink.onText !== undefined && type !== 'message') sink.onText(type, data.toString('utf8'));
        else sink.onJson(parseJson(data), data);
      },
      onId: (id) => sink.onEventId(id),
      onRetry: (retryMs) => sink.onRetry(retryMs),
      onOverflow: () => this.tooLarge(),
    });
  }

  private whole(): Buffer {
    const [first] = this.chunks;
    return this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks, this.bytes);
  }

  private tooLarge(): void {
    this.fail(`the upstream server's answer is larger than ${limits.messageBytes / 1024 / 1024} MiB`);
  }

  private fail(message: string): void {
    if (this.mode === 'over') return;
    this.finish();
    this.controller?.abort(new Error(message));
    this.sink.onFailed(new GatewayError('bad_upstream_output', message));
  }

  private endRefused(body: JsonValue | undefined): void {
    const refusal: Refusal = {
      status: this.status,
      body,
      retryAfterMs: this.retryAfterMs,
      ...(this.challenge !== undefined && { challenge: this.challenge }),
    };
    const cut = this.bytes > limits.errorBodyBytes;
    this.finish();
    if (cut) this.controller?.abort(new Error('the body of the error is too long'));
    this.sink.onRefused(refusal);
  }

  private end(): void {
    if (this.mode === 'over') return;
    this.finish();
    this.sink.onEnd();
  }

  private finish(): void {
    this.mode = 'over';
    this.chunks = [];
    this.read = undefined;
  }
}

function isType(header: string, type: string): boolean {
  if (header === type) return true;
  return header.split(';', 1)[0]?.trim().toLowerCase() === type;
}

/** Milliseconds of a `Retry-After` in seconds; the form with a date is not worth the clock skew. */
function retryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
