import type { CancelSignal } from '../../../shared/cancellation.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { JsonRpcMessage } from '../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import type { Connection, Receiver } from './connection.ts';
import type { HttpClient } from './http-client.ts';
import type { ExchangeSink, OpenExchange } from './http-exchange.ts';
import { readRefusal } from './http-refusal.ts';
import { checkMessage } from './wire-check.ts';

/**
 * The HTTP+SSE transport of 2024-11-05: one GET stream carries every answer, its first event names where to POST.
 * Resolves when that event is here; rejects with a GatewayError, or with the signal's reason.
 */
export function openSse(client: HttpClient, receiver: Receiver, signal: CancelSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let endpoint: string | undefined;
    let over = false;
    let version: string[] = [];

    function end(error: GatewayError): void {
      if (over) return;
      over = true;
      signal.removeEventListener('abort', giveUp);
      stream.abort();
      if (endpoint === undefined) reject(error);
      else receiver.onClosed(error);
    }

    function giveUp(): void {
      if (endpoint !== undefined) return;
      over = true;
      stream.abort();
      reject(signal.reason);
    }

    const stream: OpenExchange = client.get([], {
      onAccepted(_headers, streaming) {
        if (!streaming) end(new GatewayError('bad_upstream_output', 'the upstream server offers no event stream'));
      },
      onText(event, data) {
        if (event !== 'endpoint' || endpoint !== undefined || over) return;
        endpoint = sameOrigin(client.url, data);
        if (endpoint === undefined) {
          over = true;
          stream.abort();
          reject(new GatewayError('bad_upstream_output', 'the upstream server named an endpoint of another origin'));
          return;
        }
        signal.removeEventListener('abort', giveUp);
        resolve(connection);
      },
      onJson(value, bytes) {
        const message = checkMessage(value);
        if (message === undefined) receiver.onGarbage();
        else receiver.onMessage(message, undefined, bytes);
      },
      onEventId() {},
      onRetry() {},
      onEnd: () => end(new GatewayError('upstream_lost', 'the upstream server ended the stream')),
      onFailed: end,
      onRefused(refusal) {
        const meaning = readRefusal(refusal, undefined, false);
        end(
          meaning instanceof GatewayError
            ? meaning
            : new GatewayError('bad_upstream_output', `the upstream server answered HTTP ${refusal.status}`),
        );
      },
    });
    signal.addEventListener('abort', giveUp, { once: true });

    const connection: Connection = {
      send(message: JsonRpcMessage) {
        const id = 'method' in message && 'id' in message ? (message.id as number) : undefined;
        const lose = (error: GatewayError) => (id === undefined ? undefined : receiver.onLost(id, error));
        if (over) return lose(new GatewayError('no_worker', 'the upstream server ended the stream'));
        client.post(version, JSON.stringify(message), deliverOn(lose), endpoint);
      },
      drop() {},
      established(protocolVersion) {
        if (protocolVersion >= '2025-06-18') version = [mcpHeader.protocolVersion, protocolVersion];
      },
      async close() {
        over = true;
        stream.abort();
      },
    };
  });
}

/** The POST of a message: only its failure matters, the answer comes on the stream. */
function deliverOn(lose: (error: GatewayError) => void): ExchangeSink {
  return {
    onAccepted() {},
    onJson() {},
    onEventId() {},
    onRetry() {},
    onEnd() {},
    onFailed(error) {
      // `Accepted` as text/plain is what the SDK's server says.
      if (error.reason !== 'bad_upstream_output') lose(error);
    },
    onRefused(refusal) {
      const meaning = readRefusal(refusal, undefined, false);
      lose(
        meaning instanceof GatewayError
          ? meaning
          : new GatewayError('bad_upstream_output', `the upstream server answered HTTP ${refusal.status}`),
      );
    },
  };
}

/** Path and query of the endpoint; undefined for another origin: it would be sent our headers. */
function sameOrigin(base: URL, endpoint: string): string | undefined {
  try {
    const url = new URL(endpoint, base);
    return url.origin === base.origin ? `${url.pathname}${url.search}` : undefined;
  } catch {
    return undefined;
  }
}
