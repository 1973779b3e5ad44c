import { GatewayError } from '../../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import type { Endpoint } from '../../request.ts';
import type { SessionIds } from '../../sessions/session-ids.ts';
import { sendEmpty } from '../answers.ts';
import type { EdgeDeps, Exchange } from '../edge.ts';
import { acceptsEventStream } from './accept.ts';
import { forwardedHeaders } from './forwarded.ts';
import { readBody } from './incoming.ts';
import { refuse, refuseGateway, unknownEndpoint, unknownSession } from './refusals.ts';
import { relayPost } from './relay.ts';
import { openSseStream, type SseStreamOptions, type SseStreamSession } from './sse-stream.ts';

/** HTTP+SSE of 2024-11-05: a stream to the agent, and POSTs from it that may land on any ingress. */
export interface HttpSse {
  open(exchange: Exchange): void;
  post(exchange: Exchange, sessionId: string, body: unknown): Promise<void>;
  end(sessionKey: string): void;
  /** Lets every stream end with the last answer it owes. */
  drain(): void;
  close(): void;
}

export interface HttpSseOptions extends SseStreamOptions {
  readonly deps: EdgeDeps;
  readonly ids: SessionIds;
  readonly nextCallId: () => string;
}

export function createHttpSse(options: HttpSseOptions): HttpSse {
  const { deps, ids, nextCallId } = options;
  const held = new Map<string, SseStreamSession>();

  return {
    open({ req, res, endpoint, principal }) {
      if (!acceptsEventStream(req.headers.accept)) return refuse(res, 406, 'Accept must list text/event-stream');
      if (deps.catalog.view(endpoint, principal) === undefined) return unknownEndpoint(res);
      if (deps.stopping.aborted) {
        const error = new GatewayError('shutting_down', 'this ingress is stopping', { retryAfterMs: 1000 });
        return refuseGateway(res, error, nextCallId());
      }
      const id = ids.mintSse(principal, endpoint);
      const sse = ids.openSse(id, principal);
      if (sse === undefined) throw new Error('a session id just minted does not open');
      const stream = openSseStream(options, { id, sse, principal, res }, () => held.delete(sse.key));
      held.set(sse.key, stream);
    },
    async post({ req, res, principal, endpoint, clientAddress }, sessionId, given) {
      const sse = ids.openSse(sessionId, principal);
      if (sse === undefined || deps.sessions.revoked(sse.key) || !leadsTo(endpoint, sse.endpoint))
        return unknownSession(res);
      const body = readBody(given);
      if (body.kind === 'invalid') return refuse(res, 400, body.error.message, body.error.code, body.id);
      const headers = forwardedHeaders(req.headers);
      const stream = held.get(sse.key);
      const scopes = principal.scopes && [...principal.scopes];
      const post = { body: relayable(given), clientAddress, headers, scopes };
      if (stream !== undefined) stream.take(body.messages, post);
      else {
        const relayed = await relayPost(deps.sessions, sse.key, post);
        if (relayed === 'too large') return refuse(res, 413, 'The message is too large to be handed over');
        if (relayed === 'unknown') return unknownSession(res);
      }
      sendEmpty(res, 202);
    },
    end: (sessionKey) => held.get(sessionKey)?.end(),
    drain() {
      for (const stream of held.values()) stream.drain();
    },
    close() {
      for (const stream of held.values()) stream.end();
    },
  };
}

/** A token may be good for one endpoint alone, and `/messages` serves them all. */
function leadsTo(reach: Endpoint, endpoint: Endpoint): boolean {
  return reach.kind === 'all' || (endpoint.kind !== 'all' && endpoint.name === reach.name);
}

/** What `readBody` has found to be messages, as the bus carries it. */
function relayable(body: unknown): JsonObject | JsonObject[] {
  if (Array.isArray(body)) return body.filter(isJsonObject);
  return isJsonObject(body) ? body : {};
}
