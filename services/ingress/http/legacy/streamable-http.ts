import { GatewayError } from '../../../../shared/errors.ts';
import { rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../../shared/mcp/mcp-headers.ts';
import { isLegacyRevision, legacyRevisions } from '../../../../shared/mcp/revisions.ts';
import type { EventIds } from '../../sessions/event-ids.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { SessionIds } from '../../sessions/session-ids.ts';
import type { SessionMemory } from '../../sessions/session-memory.ts';
import { sendEmpty, sendJson } from '../answers.ts';
import type { EdgeDeps, Exchange, LegacyEdge } from '../edge.ts';
import type { KeepAlive } from '../keep-alive.ts';
import { acceptsBoth, acceptsEventStream } from './accept.ts';
import { resultAnswer } from './answer.ts';
import type { Cancellations } from './cancellations.ts';
import { forwardedHeaders } from './forwarded.ts';
import { type Incoming, type IncomingRequest, isRequest, readBody } from './incoming.ts';
import { initializeResult, readInitialize } from './initialize.ts';
import { createPostAnswer } from './post-answer.ts';
import type { Questions } from './questions.ts';
import { refuse, refuseGateway, unknownEndpoint, unknownSession } from './refusals.ts';
import type { Requests } from './requests.ts';
import type { ResumedStreams } from './resumed-streams.ts';
import type { StandaloneStreams } from './standalone-streams.ts';
import type { StreamLog } from './stream-log.ts';

export interface StreamableHttpOptions {
  readonly deps: EdgeDeps;
  readonly ids: SessionIds;
  readonly eventIds: EventIds;
  readonly memoryOf: (sessionKey: string) => SessionMemory;
  readonly requests: Requests;
  readonly questions: Questions;
  readonly cancellations: Cancellations;
  readonly streams: StandaloneStreams;
  readonly resumed: ResumedStreams;
  readonly keepAlive: KeepAlive;
  readonly streamLog: StreamLog;
  readonly nextCallId: () => string;
}

/** The only revision with JSON-RPC batches. */
const batchRevision = '2025-03-26';

/** Streamable HTTP with sessions: 2025-03-26, 2025-06-18 and 2025-11-25 (basic/transports of each). */
export function createLegacyStreamableHttp(options: StreamableHttpOptions): Pick<LegacyEdge, 'post' | 'delete'> & {
  get(exchange: Exchange): Promise<void>;
} {
  const { deps, ids, eventIds, memoryOf, requests, questions, cancellations, streams, resumed } = options;
  const { keepAlive, streamLog, nextCallId } = options;

  return {
    async post(exchange, given) {
      const { req, res } = exchange;
      if (!acceptsBoth(req.headers.accept)) {
        return refuse(res, 406, 'Accept must list application/json and text/event-stream');
      }
      const body = readBody(given);
      if (body.kind === 'invalid') return refuse(res, 400, body.error.message, body.error.code, body.id);
      const { messages, batch } = body;
      const opening = messages.find((message) => isRequest(message) && message.method === 'initialize');
      if (opening?.kind === 'request') {
        if (batch) return refuse(res, 400, 'Invalid request: initialize must not be part of a batch');
        return open(exchange, opening);
      }
      const session = identify(exchange);
      if (session === undefined) return;
      if (batch && session.protocolVersion !== batchRevision) {
        return refuse(res, 400, `Invalid request: revision ${session.protocolVersion} has no batches`);
      }
      await receive(exchange, session, messages, batch);
    },
    async get({ req, res, ...exchange }) {
      if (!acceptsEventStream(req.headers.accept)) return refuse(res, 406, 'Accept must list text/event-stream');
      const session = identify({ req, res, ...exchange });
      if (session === undefined) return;
      if (deps.stopping.aborted) {
        const error = new GatewayError('shutting_down', 'this ingress is stopping', { retryAfterMs: 1000 });
        return refuseGateway(res, error, nextCallId());
      }
      const lastEventId = req.headers['last-event-id'];
      const from = typeof lastEventId === 'string' ? eventIds.read(session.key, lastEventId) : undefined;
      if (lastEventId !== undefined && from === undefined) {
        return refuse(res, 400, 'Bad request: Last-Event-ID is none of this session');
      }
      if (from?.kind === 'answering') return resumed.open(session, from, res);
      if (!(await streams.open(session, from?.place, res))) {
        refuse(res, 409, 'Conflict: the session has its stream already');
      }
    },
    async delete(exchange) {
      const session = identify(exchange);
      if (session === undefined) return;
      await deps.sessions.revoke(session.key);
      sendEmpty(exchange.res, 200);
    },
  };

  function open({ res, endpoint, principal }: Exchange, { id, params }: IncomingRequest): void {
    const facts = readInitialize(params);
    const view = deps.catalog.view(endpoint, principal);
    if (facts === undefined) {
      refuse(res, 400, 'Invalid params: protocolVersion must be a string', rpcCode.invalidParams, id);
    } else if (view === undefined) {
      unknownEndpoint(res);
    } else {
      // An id that the agent brought along is not looked at: a session is never of a client's choosing (session fixation).
      const sessionId = ids.mint(principal, endpoint, facts);
      const { body = '' } = resultAnswer(id, initializeResult(facts.protocolVersion, view));
      sendJson(res, 200, body, { [mcpHeader.sessionId]: sessionId });
    }
  }

  /** The session of a request; undefined when there is none, which is then answered. */
  function identify({ req, res, principal, endpoint }: Exchange): LegacySession | undefined {
    const id = req.headers[mcpHeader.sessionId];
    if (typeof id !== 'string' || id === '') {
      refuse(res, 400, 'Bad request: Mcp-Session-Id is missing');
      return undefined;
    }
    const session = ids.open(id, principal);
    const here = session?.endpoint.kind === endpoint.kind && nameOf(session.endpoint) === nameOf(endpoint);
    if (session === undefined || !here || deps.sessions.revoked(session.key)) {
      unknownSession(res);
      return undefined;
    }
    // Clients are known to send another version than they agreed on; any that has sessions will do.
    const version = req.headers[mcpHeader.protocolVersion];
    if (typeof version === 'string' && !isLegacyRevision(version.trim())) {
      refuse(res, 400, `Bad request: unsupported MCP-Protocol-Version (supported: ${legacyRevisions.join(', ')})`);
      return undefined;
    }
    return session;
  }

  async function receive(
    exchange: Exchange,
    session: LegacySession,
    messages: readonly Incoming[],
    batch: boolean,
  ): Promise<void> {
    const { req, res, clientAddress, receivedAt } = exchange;
    const asked = messages.filter(isRequest);
    for (const message of messages) note(session, message);
    if (asked.length === 0) return sendEmpty(res, 202);
    const outlet = createPostAnswer({
      res,
      keepAlive,
      streamLog,
      session,
      requests: asked.map(({ id }) => id),
      batch,
    });
    const headers = forwardedHeaders(req.headers);
    const scene = { session, memory: memoryOf(session.key), outlet, clientAddress, headers, receivedAt };
    await Promise.all(asked.map(async (request) => outlet.answer(await requests(request, scene))));
  }

  function note({ key }: LegacySession, message: Incoming): void {
    if (message.kind === 'response') questions.answered(key, message.message);
    if (message.kind !== 'notification' || message.method !== 'notifications/cancelled') return;
    const { requestId, reason } = message.params;
    if (typeof requestId !== 'string' && typeof requestId !== 'number') return;
    cancellations.cancel(key, requestId, typeof reason === 'string' ? reason : undefined);
  }
}

function nameOf(endpoint: Exchange['endpoint']): string | undefined {
  return endpoint.kind === 'all' ? undefined : endpoint.name;
}
