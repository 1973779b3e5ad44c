import { createCancellation } from '../../../../shared/cancellation.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import { rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import type { AgentRequest } from '../../request.ts';
import { gatewayErrorHeaders, gatewayRpcError, rpcErrorBody, sendEmpty, sendJson } from '../answers.ts';
import { createCallIds } from '../call-id.ts';
import type { EdgeDeps, Exchange, ModernEdge } from '../edge.ts';
import { echoableId, type Message, shapeOf } from '../json-rpc-shape.ts';
import { createKeepAlive } from '../keep-alive.ts';
import { type Answer, createAnswer } from './answer.ts';
import { createDiscover } from './discover.ts';
import { type Envelope, isLogged } from './envelope.ts';
import { createHeaderParams, forwardedHeaders } from './headers.ts';
import { climb, climbNotification } from './ladder.ts';
import { createListen } from './listen.ts';
import { type Refusal, statusOf } from './refusal.ts';
import { cancelUnclaimed } from './unclaimed-task.ts';

/** The edge for 2026-07-28: checks a request, hands it to `deps.handle`, writes the answer. Keeps nothing between requests. */
export function createModernEdge(deps: EdgeDeps): ModernEdge {
  const nextCallId = createCallIds();
  const headerParams = createHeaderParams();
  const discover = createDiscover();
  const keepAlive = createKeepAlive(deps.stopping);
  const listen = createListen({ deps, keepAlive, nextCallId });

  return {
    async post(exchange, body) {
      const message = shapeOf(body);
      switch (message.kind) {
        case 'request':
          return request(exchange, message);
        case 'notification':
          return notification(exchange, message);
        case 'response':
          return refuse(exchange, echoableId(body), invalidRequest('this revision has no responses from clients'));
        case 'invalid':
          return refuse(exchange, echoableId(body), invalidRequest(message.why));
        default:
          return message satisfies never;
      }
    },
  };

  async function request(exchange: Exchange, message: Extract<Message, { kind: 'request' }>): Promise<void> {
    const { req, res, endpoint, principal } = exchange;
    const { id, method, params } = message;
    const view = deps.catalog.view(endpoint, principal);
    if (view === undefined) return refuse(exchange, id, unknownEndpoint);
    const checked = climb(req.headers, method, params, view, headerParams);
    if ('error' in checked) return refuse(exchange, id, checked);
    if (method === 'subscriptions/listen' && !deps.stopping.aborted) return listen(exchange, id, checked, view);

    const answer = createAnswer(res, id, req.headers.accept, exchange.receivedAt, keepAlive);
    if (method === 'server/discover') return answer.result(discover(view));
    await call(exchange, method, checked, answer);
  }

  async function call(exchange: Exchange, method: string, envelope: Envelope, answer: Answer): Promise<void> {
    const { req, res } = exchange;
    const callId = nextCallId();
    const gone = createCancellation();
    let answered = false;
    // The response, not the request: that closes as soon as its body is read. Closing it is the agent's way to cancel (basic/patterns/cancellation).
    res.once('close', () => {
      if (answered) return;
      answer.abandon();
      gone.abort();
    });
    const { agent, progressToken } = envelope;
    const request: AgentRequest = {
      callId,
      method,
      params: envelope.params,
      endpoint: exchange.endpoint,
      principal: exchange.principal,
      agent,
      wantsProgress: progressToken !== undefined,
      clientAddress: exchange.clientAddress,
      headers: forwardedHeaders(req.headers),
      signal: gone.signal,
      receivedAt: exchange.receivedAt,
      onNotification(note) {
        if (answered || gone.signal.aborted) return;
        if (note.method === 'notifications/progress') {
          if (progressToken !== undefined) answer.notify(note.method, { ...note.params, progressToken });
        } else if (note.method !== 'notifications/message' || isLogged(note.params['level'], agent.logLevel)) {
          answer.notify(note.method, note.params);
        }
      },
    };
    try {
      if (deps.stopping.aborted) throw new GatewayError('shutting_down', 'toolbus is shutting down');
      const reply = await deps.handle(request);
      answered = true;
      if (gone.signal.aborted) {
        const cancelling = cancelUnclaimed(request, reply, nextCallId());
        if (cancelling !== undefined) await deps.handle(cancelling);
      } else if (reply.kind === 'result') answer.result(reply);
      else answer.error(reply.error, statusOf(reply.error.code), reply.timing);
    } catch (error) {
      answered = true;
      if (error instanceof GatewayError) {
        const timing = { totalMs: 0, upstreamMs: error.upstreamMs };
        answer.error(gatewayRpcError(error, callId), error.status, timing, gatewayErrorHeaders(error));
      } else if (gone.signal.aborted) {
        answer.abandon();
      } else {
        deps.log.error({ err: error, callId, method }, 'request failed unexpectedly');
        answer.error({ code: rpcCode.internalError, message: 'Internal error', data: { callId } }, 500);
      }
    }
  }

  function notification({ req, res }: Exchange, message: Extract<Message, { kind: 'notification' }>): void {
    const meta = message.params['_meta'];
    const claimed = isJsonObject(meta) ? meta[metaKey.protocolVersion] : undefined;
    const refused = climbNotification(req.headers, message.method, claimed);
    // No notification of a client means anything over this transport; an unknown one is accepted and dropped.
    if (refused === undefined) sendEmpty(res, 202);
    else sendJson(res, refused.status, rpcErrorBody(null, refused.error));
  }
}

const unknownEndpoint: Refusal = {
  status: 404,
  error: { code: rpcCode.invalidRequest, message: 'Unknown endpoint: no such server or toolset' },
};

function invalidRequest(why: string): Refusal {
  return { status: 400, error: { code: rpcCode.invalidRequest, message: `Invalid request: ${why}` } };
}

function refuse({ res }: Exchange, id: string | number | null, { status, error }: Refusal): void {
  sendJson(res, status, rpcErrorBody(id, error));
}
