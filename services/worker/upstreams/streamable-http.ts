import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../../../shared/errors.ts';
import type { JsonValue } from '../../../shared/mcp/json.ts';
import type { JsonRpcMessage } from '../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import { ShortLivedMap } from '../../../shared/short-lived.ts';
import type { Connection, Receiver } from './connection.ts';
import type { HttpClient } from './http-client.ts';
import type { ExchangeSink, OpenExchange, Refusal } from './http-exchange.ts';
import { readRefusal } from './http-refusal.ts';
import { limits } from './limits.ts';
import { checkMessage } from './wire-check.ts';

export interface StreamableHttpOptions {
  readonly client: HttpClient;
  readonly receiver: Receiver;
  /** Legacy: sessions, the standalone GET stream, resumption. Modern: none of them, and an ended request is a cancelled one. */
  readonly era: 'modern' | 'legacy';
}

/** How long an event stream may stay open after its answer before we end it: it holds a connection. */
const lingerMs = 5_000;
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;
const maxResumes = 5;

/** Streamable HTTP of either era: every request is a POST with a stream of its own. */
export function openStreamableHttp(options: StreamableHttpOptions): Connection {
  const { client, receiver, era } = options;
  const streams = new ShortLivedMap<number, RequestStream>();
  const lingering = new ShortLivedMap<number, RequestStream>();
  const timers = new Set<NodeJS.Timeout>();
  let lingerTimer: NodeJS.Timeout | undefined;
  let session: string[] = [];
  let sessionId: string | undefined;
  let standalone: OpenExchange | undefined;
  let closed = false;

  function later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!closed) run();
    }, ms);
    timers.add(timer);
  }

  function deliver(value: JsonValue | undefined): void {
    for (const one of Array.isArray(value) ? value : [value]) {
      const message = checkMessage(one);
      if (message === undefined) receiver.onGarbage();
      else receiver.onMessage(message, undefined);
    }
  }

  function linger(stream: RequestStream): void {
    lingering.set(stream.id, stream);
    lingerTimer ??= setTimeout(() => {
      lingerTimer = undefined;
      for (const one of lingering.values()) one.abort();
      lingering.clear();
    }, lingerMs).unref();
  }

  /** One request, over the POST that carried it and the GETs that resumed it (2025-11-25, basic/transports, "Resumability and Redelivery"). */
  class RequestStream implements ExchangeSink {
    readonly id: number;
    private readonly initialize: boolean;
    private exchange: OpenExchange | undefined;
    private lastEventId: string | undefined;
    private retryMs = firstRetryMs;
    private resumes = 0;
    private answered = false;
    private streaming = false;

    constructor(id: number, initialize: boolean) {
      this.id = id;
      this.initialize = initialize;
    }

    start(headers: readonly string[], body: string): void {
      this.exchange = client.post(headers, body, this);
    }

    abort(): void {
      this.answered = true;
      this.exchange?.abort();
    }

    onAccepted(headers: IncomingHttpHeaders, streaming: boolean): void {
      this.streaming = streaming;
      if (!this.initialize) return;
      const given = headers[mcpHeader.sessionId];
      // Visible ASCII, says the specification; anything else could not be sent back.
      if (typeof given === 'string' && /^[\x21-\x7e]{1,4096}$/.test(given)) sessionId = given;
    }

    onJson(value: JsonValue | undefined, bytes: Buffer): void {
      if (this.answered) return;
      this.resumes = 0;
      // 2025-03-26 servers may answer in batches.
      if (Array.isArray(value)) for (const one of value) this.take(one, undefined);
      else this.take(value, bytes);
    }

    onEventId(id: string): void {
      this.lastEventId = id;
    }

    onRetry(retryMs: number): void {
      this.retryMs = Math.min(retryMs, lastRetryMs);
    }

    onEnd(): void {
      lingering.delete(this.id);
      if (this.answered) return;
      this.resumeOr(() =>
        this.streaming
          ? new GatewayError('upstream_lost', 'the upstream server ended the stream before the result')
          : new GatewayError('bad_upstream_output', 'the upstream server answered without a result'),
      );
    }

    onFailed(error: GatewayError): void {
      lingering.delete(this.id);
      if (this.answered) return;
      if (error.reason === 'bad_upstream_output') this.lose(error);
      else this.resumeOr(() => error);
    }

    onRefused(refusal: Refusal): void {
      if (this.answered) return;
      if (this.lastEventId !== undefined) {
        this.lose(new GatewayError('upstream_lost', 'the upstream server does not resume the stream of the call'));
        return;
      }
      const meaning = readRefusal(refusal, this.id, sessionId !== undefined);
      if (meaning instanceof GatewayError) {
        this.lose(meaning);
        return;
      }
      this.done();
      receiver.onMessage({ ...meaning, id: this.id }, this.id);
    }

    private take(value: JsonValue | undefined, bytes: Buffer | undefined): void {
      const message = checkMessage(value);
      if (message === undefined) {
        receiver.onGarbage();
        return;
      }
      if (!('method' in message) && message.id === this.id) {
        if (this.answered) {
          receiver.onGarbage();
          return;
        }
        this.done();
      }
      receiver.onMessage(message, this.id, bytes);
    }

    private resumeOr(why: () => GatewayError): void {
      if (era === 'modern' || this.lastEventId === undefined || this.resumes >= maxResumes) {
        this.lose(why());
        return;
      }
      this.resumes += 1;
      later(this.retryMs, () => {
        if (this.answered || this.lastEventId === undefined) return;
        this.exchange = client.get([...session, 'last-event-id', this.lastEventId], this);
      });
    }

    private done(): void {
      this.answered = true;
      streams.delete(this.id);
      linger(this);
    }

    private lose(error: GatewayError): void {
      this.answered = true;
      streams.delete(this.id);
      receiver.onLost(this.id, error);
    }
  }

  /** The stream for what belongs to no request (2025-11-25, basic/transports, "Listening for Messages from the Server"). */
  function listen(lastEventId: string | undefined, attempt: number): void {
    let last = lastEventId;
    let retryMs: number = firstRetryMs;
    let opened = false;
    const again = () =>
      later(Math.min(retryMs * 2 ** attempt, lastRetryMs), () => listen(last, opened ? 0 : attempt + 1));
    standalone = client.get(last === undefined ? session : [...session, 'last-event-id', last], {
      onAccepted(_headers, streaming) {
        opened = streaming;
      },
      onJson: deliver,
      onEventId: (id) => {
        last = id;
      },
      onRetry: (ms) => {
        retryMs = ms;
      },
      // A server that offers no stream may also say so with an empty 200 or 204.
      onEnd: () => (opened ? again() : undefined),
      onFailed: (error) => {
        if (error.reason === 'no_worker') receiver.onClosed(error);
        else if (error.reason !== 'bad_upstream_output') again();
      },
      onRefused: ({ status }) => {
        if (status === 404 && sessionId !== undefined && attempt + Number(last !== undefined) > 0) {
          receiver.onClosed(new GatewayError('upstream_lost', 'the upstream server has forgotten the session'));
        } else if (status >= 500) again();
      },
    });
  }

  const ignore: ExchangeSink = {
    onAccepted() {},
    onJson() {},
    onEventId() {},
    onRetry() {},
    onEnd() {},
    onFailed() {},
    onRefused() {},
  };

  return {
    send(message: JsonRpcMessage, headers: readonly string[] = []) {
      if (closed) return;
      const all = session.length === 0 ? headers : [...session, ...headers];
      if (!('method' in message) || !('id' in message)) {
        client.post(all, JSON.stringify(message), ignore);
        return;
      }
      const id = message.id as number;
      const stream = new RequestStream(id, era === 'legacy' && message.method === 'initialize');
      streams.set(id, stream);
      stream.start(all, JSON.stringify(message));
    },
    drop(id) {
      const stream = streams.get(id);
      streams.delete(id);
      stream?.abort();
    },
    established(protocolVersion) {
      session = sessionId === undefined ? [] : [mcpHeader.sessionId, sessionId];
      // 2024-11-05 and 2025-03-26 do not know the header.
      if (protocolVersion >= '2025-06-18') session.push(mcpHeader.protocolVersion, protocolVersion);
      listen(undefined, 0);
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      clearTimeout(lingerTimer);
      for (const stream of [...streams.values(), ...lingering.values()]) stream.abort();
      streams.clear();
      lingering.clear();
      standalone?.abort();
      if (sessionId !== undefined) await endSession(client, [...session], limits.goodbyeMs);
    },
  };
}

function endSession(client: HttpClient, session: readonly string[], waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const exchange = client.delete(session, {
      onAccepted() {},
      onJson() {},
      onEventId() {},
      onRetry() {},
      onEnd: done,
      onFailed: done,
      onRefused: done,
    });
    const timer = setTimeout(() => {
      exchange.abort();
      resolve();
    }, waitMs);
  });
}
