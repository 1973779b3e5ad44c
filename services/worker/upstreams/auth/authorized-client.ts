import type { GatewayError } from '../../../../shared/errors.ts';
import type { HttpClient } from '../http-client.ts';
import type { ExchangeSink, OpenExchange, Refusal } from '../http-exchange.ts';
import type { TokenSource } from './token-source.ts';

/** Opens a request with these headers besides its own. */
type Send = (headers: readonly string[], sink: ExchangeSink) => OpenExchange;

/** The client of a server that wants tokens: each request carries one, and one that is refused with 401 is sent once more with another. */
export function authorize(client: HttpClient, tokens: TokenSource): HttpClient {
  return {
    path: client.path,
    url: client.url,
    post: (headers, body, sink, path) =>
      new AuthorizedExchange(tokens, (more, to) => client.post(headers.concat(more), body, to, path), sink),
    get: (headers, sink) => new AuthorizedExchange(tokens, (more, to) => client.get(headers.concat(more), to), sink),
    delete: (headers, sink) =>
      new AuthorizedExchange(tokens, (more, to) => client.delete(headers.concat(more), to), sink),
    async close() {
      tokens.close();
      await client.close();
    },
  };
}

class AuthorizedExchange implements OpenExchange {
  private readonly tokens: TokenSource;
  private readonly send: Send;
  private readonly sink: ExchangeSink;
  private exchange: OpenExchange | undefined;
  private aborted = false;

  constructor(tokens: TokenSource, send: Send, sink: ExchangeSink) {
    this.tokens = tokens;
    this.send = send;
    this.sink = sink;
    const token = tokens.current;
    if (token === undefined && tokens.needsNoPrompt) this.whenThere(tokens.get(), (error) => this.sink.onFailed(error));
    else this.start(token);
  }

  abort(): void {
    this.aborted = true;
    this.exchange?.abort();
  }

  private start(token: string | undefined): void {
    const { sink } = this;
    const once: ExchangeSink = {
      onAccepted: (headers, streaming) => sink.onAccepted(headers, streaming),
      onJson: (value, event) => sink.onJson(value, event),
      onEventId: (id) => sink.onEventId(id),
      onRetry: (retryMs) => sink.onRetry(retryMs),
      onEnd: () => sink.onEnd(),
      onFailed: (error) => sink.onFailed(error),
      // It says that nothing was done, so it may be sent again.
      onRefused: (refusal) => (refusal.status === 401 ? this.again(token, refusal) : sink.onRefused(refusal)),
      ...(sink.onText && { onText: (event, data) => sink.onText?.(event, data) }),
    };
    this.exchange = this.send(bearer(token), once);
  }

  private again(used: string | undefined, refusal: Refusal): void {
    const renewed = this.tokens.renew(used, refusal.challenge);
    renewed.then(
      (token) => {
        if (!this.aborted) this.exchange = this.send(bearer(token), this.sink);
      },
      () => {
        if (!this.aborted) this.sink.onRefused(refusal);
      },
    );
  }

  private whenThere(token: Promise<string>, fail: (error: GatewayError) => void): void {
    token.then(
      (value) => {
        if (!this.aborted) this.start(value);
      },
      (error: GatewayError) => {
        if (!this.aborted) fail(error);
      },
    );
  }
}

function bearer(token: string | undefined): string[] {
  return token === undefined ? [] : ['authorization', `Bearer ${token}`];
}
