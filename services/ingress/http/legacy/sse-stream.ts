import type { ServerResponse } from 'node:http';
import type { LogLevel, Principal } from '../../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { SseSession } from '../../sessions/session-ids.ts';
import { maxSubscriptions, type SessionMemory } from '../../sessions/session-memory.ts';
import type { EdgeDeps } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse } from '../sse-writer.ts';
import { errorAnswer, resultAnswer } from './answer.ts';
import type { InFlight } from './in-flight.ts';
import { type Incoming, type IncomingRequest, readBody } from './incoming.ts';
import { initializeResult, readInitialize } from './initialize.ts';
import type { Notices, StreamNotices } from './notices.ts';
import type { Outlet } from './outlet.ts';
import { keepAliveMs } from './post-answer.ts';
import type { Questions } from './questions.ts';
import { type RelayedPost, takePosts } from './relay.ts';
import type { Requests } from './requests.ts';

/**
 * One stream of HTTP+SSE (2024-11-05). The session is the stream: it begins and ends with it, and what it sets is remembered here
 * alone. Every message is handled where the stream is held; a POST that lands elsewhere is relayed.
 */
export interface SseStreamSession {
  /** Messages POSTed for this stream, by the agent that opened it. */
  take(messages: readonly Incoming[], post: Omit<RelayedPost, 'body'>): void;
  /** Ends at once. */
  end(): void;
  /** Ends with the last answer owed. */
  drain(): void;
}

export interface SseStreamOptions {
  readonly deps: EdgeDeps;
  readonly notices: Notices;
  readonly keepAlive: KeepAlive;
  readonly inFlight: InFlight;
  readonly questions: Questions;
  readonly requests: Requests;
}

/** Opens the stream and names the URL to POST to. `ended` is called once. */
export function openSseStream(
  options: SseStreamOptions,
  opened: { id: string; sse: SseSession; principal: Principal; res: ServerResponse },
  ended: () => void,
): SseStreamSession {
  const { deps, notices, keepAlive, inFlight, questions, requests } = options;
  const { res, principal } = opened;
  const { key, endpoint } = opened.sse;
  let session: LegacySession = { key, endpoint, principal, protocolVersion: '2024-11-05', capabilities: {} };
  let draining = false;

  const stream = openSse(res);
  stream.event(`/messages?sessionId=${opened.id}`, { event: 'endpoint' });
  const quiet: Quiet = { lastWrite: performance.now(), quietMs: keepAliveMs, onQuiet: () => stream.comment() };
  const write = (message: string | Uint8Array) => {
    quiet.lastWrite = performance.now();
    // The first clients listen for events of this name only.
    stream.event(message, { event: 'message' });
  };
  const outlet: Outlet = {
    send: write,
    get closed() {
      return stream.closed;
    },
  };
  const subscriptions = notices.open(session, write);
  const memory = localMemory(subscriptions);

  const take: SseStreamSession['take'] = (messages, post) => {
    for (const message of messages) {
      if (message.kind === 'request') void answer(message, post);
      else if (message.kind === 'response') questions.answered(key, message.message);
      else if (message.method === 'notifications/cancelled') cancel(message.params);
    }
  };
  const cancel = ({ requestId, reason }: JsonObject) => {
    if (typeof requestId !== 'string' && typeof requestId !== 'number') return;
    inFlight.cancel(key, requestId, typeof reason === 'string' ? reason : 'cancelled by the agent');
  };
  const answer = async (request: IncomingRequest, { clientAddress, headers, scopes }: Omit<RelayedPost, 'body'>) => {
    if (request.method === 'initialize') return initialize(request);
    const receivedAt = performance.now();
    // The rights are those of the token that came with this message, not of the one that opened the stream.
    const now = scopes === undefined ? session : { ...session, principal: { ...principal, scopes } };
    const { body } = await requests(request, { session: now, memory, outlet, clientAddress, headers, receivedAt });
    if (body !== undefined) write(body);
    if (draining) drain();
  };
  const initialize = ({ id, params }: IncomingRequest) => {
    const facts = readInitialize(params);
    const view = deps.catalog.view(endpoint, principal);
    if (facts === undefined || view === undefined) {
      const error = { code: rpcCode.invalidParams, message: 'Invalid params: protocolVersion must be a string' };
      write(errorAnswer(id, error).body ?? '');
      return;
    }
    session = { ...session, ...facts };
    write(resultAnswer(id, initializeResult(facts.protocolVersion, view)).body ?? '');
  };
  const drain = () => {
    draining = true;
    if (inFlight.count(key) === 0) stream.end();
  };

  const leave = takePosts(deps.sessions, key, (post) => {
    const body = readBody(post.body);
    if (body.kind === 'messages') take(body.messages, post);
  });
  keepAlive.watch(quiet);
  res.once('close', () => {
    keepAlive.release(quiet);
    leave();
    subscriptions.close();
    // Closing the stream is the shutdown of its session (2024-11-05, basic/lifecycle), unlike a lost POST of later revisions.
    inFlight.endSession(key);
    ended();
  });
  return { take, end: () => stream.end(), drain };
}

function localMemory(subscriptions: StreamNotices): SessionMemory {
  let level: LogLevel = 'debug';
  const uris = new Set<string>();
  return {
    logLevel: () => level,
    async setLogLevel(next) {
      level = next;
    },
    async subscribe(uri) {
      if (!uris.has(uri) && uris.size >= maxSubscriptions) return false;
      uris.add(uri);
      void subscriptions.add(uri);
      return true;
    },
    async unsubscribe(uri) {
      uris.delete(uri);
      subscriptions.remove(uri);
    },
  };
}
