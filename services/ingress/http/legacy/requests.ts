import { GatewayError } from '../../../../shared/errors.ts';
import { type CallNotification, type LogLevel, logLevels } from '../../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { type RpcError, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { wrapsOutput } from '../../catalog/output-schema.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { SessionMemory } from '../../sessions/session-memory.ts';
import { serverTiming } from '../answers.ts';
import type { EdgeDeps } from '../edge.ts';
import { type Answer, errorAnswer, gatewayAnswer, noAnswer, resultAnswer } from './answer.ts';
import { callParams } from './forwarded.ts';
import type { Flight, InFlight } from './in-flight.ts';
import type { IncomingRequest } from './incoming.ts';
import { fulfilInput } from './input-required.ts';
import type { Outlet } from './outlet.ts';
import { type Questions, Unanswered } from './questions.ts';
import { answerLocally } from './session-methods.ts';
import { mayNeedWrapping, wrapOddOutput, wrapOutput } from './wrap-output.ts';

/** What a request comes in: its session, its place there, and the HTTP request that brought it. */
export interface RequestScene {
  readonly session: LegacySession;
  readonly memory: SessionMemory;
  readonly outlet: Outlet;
  readonly clientAddress: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedAt: number;
}

/** Answers one request; never rejects. */
export type Requests = (request: IncomingRequest, scene: RequestScene) => Promise<Answer>;

export interface RequestsOptions {
  readonly deps: EdgeDeps;
  readonly inFlight: InFlight;
  readonly questions: Questions;
  readonly nextCallId: () => string;
}

/** The three methods whose result may ask for input (2026-07-28, basic/patterns/mrtr). */
const asking: readonly string[] = ['tools/call', 'prompts/get', 'resources/read'];

export function createRequests({ deps, inFlight, questions, nextCallId }: RequestsOptions): Requests {
  return (request, scene) => {
    const { session } = scene;
    if (deps.stopping.aborted) {
      const error = new GatewayError('shutting_down', 'this ingress is stopping', { retryAfterMs: 1000 });
      return Promise.resolve(gatewayAnswer(request.id, error, nextCallId()));
    }
    const flight = inFlight.begin(session.key, request.id);
    if (flight === undefined) {
      const error = { code: rpcCode.invalidRequest, message: 'Invalid request: a request with this id is in flight' };
      return Promise.resolve(errorAnswer(request.id, error, 400));
    }
    return new Promise((resolve) => {
      const callId = nextCallId();
      // Whatever still happens to an aborted call, its agent waits no longer.
      flight.onAbort = (cause) => resolve(cause === 'closing' ? cutOff(request, callId) : noAnswer);
      run(request, scene, flight, callId)
        .catch((error: unknown) => failure(request, error, callId, scene))
        .then((answer) => {
          flight.end();
          resolve(answer);
        });
    });
  };

  async function run(request: IncomingRequest, scene: RequestScene, flight: Flight, callId: string): Promise<Answer> {
    const local = answerLocally(request, scene, deps);
    if (local !== undefined) return local;
    const call = callOf(request, scene, flight, callId);
    let reply = await deps.handle(call);
    if (reply.kind === 'result' && reply.resultType === 'input_required' && asking.includes(request.method)) {
      reply = await fulfilInput(reply, {
        capabilities: scene.session.capabilities,
        signal: flight.signal,
        ask: (method, params, signal) => questions.ask(scene.session.key, scene.outlet, method, params, signal),
        retry(more) {
          const again = { ...call, callId: nextCallId(), params: { ...call.params, ...more } };
          deps.log.debug({ callId, retriedAs: again.callId }, 'call goes on with the input of the agent');
          return deps.handle({ ...again, receivedAt: performance.now() });
        },
      });
    }
    return answerOf(request, reply, scene);
  }

  function callOf(
    { method, params }: IncomingRequest,
    scene: RequestScene,
    flight: Flight,
    callId: string,
  ): AgentRequest {
    const { session, outlet } = scene;
    const { params: bare, progressToken } = callParams(params);
    const logLevel = scene.memory.logLevel();
    return {
      callId,
      method,
      params: bare,
      endpoint: session.endpoint,
      principal: session.principal,
      agent: {
        protocolVersion: session.protocolVersion,
        capabilities: session.capabilities,
        clientInfo: session.clientInfo,
        logLevel,
      },
      wantsProgress: progressToken !== undefined,
      clientAddress: scene.clientAddress,
      session: session.key,
      headers: scene.headers,
      signal: flight.signal,
      receivedAt: scene.receivedAt,
      onNotification(notification) {
        if (flight.onAbort === undefined) return;
        const params = agentParams(notification, progressToken, logLevel);
        if (params) outlet.send(JSON.stringify({ jsonrpc: '2.0', method: notification.method, params }));
      },
    };
  }

  function answerOf({ id, method, params }: IncomingRequest, reply: AgentReply, scene: RequestScene): Answer {
    const timing = serverTiming(performance.now() - scene.receivedAt, reply.timing);
    const headers = { 'server-timing': timing };
    if (reply.kind === 'error') return errorAnswer(id, legacyError(reply.error, method, params), 200, headers);
    if (reply.resultType !== 'complete') {
      const message = `the server answered with "${reply.resultType}", which this protocol revision does not have`;
      throw new GatewayError('bad_upstream_output', message, { executed: 'yes' });
    }
    const { endpoint, principal } = scene.session;
    const name = method === 'tools/call' && reply.source !== undefined ? params['name'] : undefined;
    const tool = typeof name === 'string' ? deps.catalog.view(endpoint, principal)?.tool(name) : undefined;
    const wrap = wrapsOutput(tool?.definition) ? wrapOutput : wrapOddOutput;
    const wraps = wrap === wrapOutput || (method === 'tools/call' && mayNeedWrapping(reply.body));
    return resultAnswer(id, wraps ? wrap(reply.body) : reply.body, headers);
  }

  function failure({ id, method }: IncomingRequest, error: unknown, callId: string, scene: RequestScene): Answer {
    if (error instanceof GatewayError) {
      const answer = gatewayAnswer(id, error, callId);
      const timing = { totalMs: 0, upstreamMs: error.upstreamMs };
      return {
        ...answer,
        headers: { ...answer.headers, 'server-timing': serverTiming(performance.now() - scene.receivedAt, timing) },
      };
    }
    if (error instanceof Unanswered) {
      // A tool's failure is for the model to read; the other methods have only errors (DESIGN D2).
      if (method !== 'tools/call') return errorAnswer(id, { code: rpcCode.invalidParams, message: error.message });
      const content = [{ type: 'text', text: error.message }];
      return resultAnswer(id, JSON.stringify({ content, isError: true }));
    }
    deps.log.error({ err: error, callId, method }, 'request failed');
    return errorAnswer(id, { code: rpcCode.internalError, message: 'Internal error', data: { callId } }, 500);
  }
}

/** A resource that does not exist has a code of its own before 2026-07-28, where −32602 names its URI. */
function legacyError(error: RpcError, method: string, { uri }: JsonObject): RpcError {
  const isMissing =
    method === 'resources/read' &&
    error.code === rpcCode.invalidParams &&
    isJsonObject(error.data) &&
    error.data['uri'] === uri;
  return isMissing ? { ...error, code: rpcCode.legacyResourceNotFound } : error;
}

/** The ingress closed before the answer came; whether the call ran is not known here. */
function cutOff({ id }: IncomingRequest, callId: string): Answer {
  const error = new GatewayError('shutting_down', 'this ingress has stopped', { executed: 'unknown' });
  return gatewayAnswer(id, error, callId);
}

/** Params of a notification in the agent's terms; undefined for one it did not ask for. */
function agentParams(
  { method, params }: CallNotification,
  progressToken: string | number | undefined,
  logLevel: LogLevel,
): JsonObject | undefined {
  if (method === 'notifications/progress')
    return progressToken === undefined ? undefined : { ...params, progressToken };
  if (method === 'notifications/message') return isBelow(params['level'], logLevel) ? undefined : params;
  return params;
}

function isBelow(level: unknown, threshold: LogLevel): boolean {
  const severities: readonly unknown[] = logLevels;
  const rank = severities.indexOf(level);
  return rank !== -1 && rank < logLevels.indexOf(threshold);
}
