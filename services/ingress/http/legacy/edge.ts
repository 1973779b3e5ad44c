import { createEventIds } from '../../sessions/event-ids.ts';
import { createSessionIds } from '../../sessions/session-ids.ts';
import { createSessionLines } from '../../sessions/session-lines.ts';
import { createSharedMemory } from '../../sessions/session-memory.ts';
import { createCallIds } from '../call-id.ts';
import type { EdgeDeps, LegacyEdge } from '../edge.ts';
import { createKeepAlive } from '../keep-alive.ts';
import { createCancellations } from './cancellations.ts';
import { createHttpSse } from './http-sse.ts';
import { createInFlight } from './in-flight.ts';
import { createNotices } from './notices.ts';
import { createQuestions } from './questions.ts';
import { createRequests } from './requests.ts';
import { createResumedStreams } from './resumed-streams.ts';
import { createStandaloneStreams } from './standalone-streams.ts';
import { createStreamLog } from './stream-log.ts';
import { createLegacyStreamableHttp } from './streamable-http.ts';

/**
 * The edge for agents of 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05. What a session is stands in its id, what it has set is
 * on the bus: any ingress answers any request of it (DESIGN D3).
 */
export function createLegacyEdge(deps: EdgeDeps): LegacyEdge {
  const { sessions, stopping } = deps;
  const keepAlive = createKeepAlive(stopping);
  const nextCallId = createCallIds();
  const ids = createSessionIds(deps.sealer);
  const eventIds = createEventIds(deps.sealer);
  const streamLog = createStreamLog(sessions, eventIds);
  const lines = createSessionLines(sessions);
  const inFlight = createInFlight(lines, keepAlive);
  const cancellations = createCancellations(sessions, inFlight);
  const questions = createQuestions(sessions);
  const notices = createNotices(deps);
  const requests = createRequests({ deps, inFlight, questions, nextCallId });
  const streams = createStandaloneStreams({ deps, eventIds, notices, keepAlive });
  const resumed = createResumedStreams({ deps, eventIds, keepAlive, nextCallId });
  const memoryOf = createSharedMemory(sessions);
  const streamable = createLegacyStreamableHttp({
    deps,
    ids,
    eventIds,
    memoryOf,
    requests,
    questions,
    cancellations,
    streams,
    resumed,
    keepAlive,
    streamLog,
    nextCallId,
  });
  const sse = createHttpSse({ deps, ids, notices, keepAlive, inFlight, questions, requests, nextCallId });

  const stopListening = sessions.onRevoked((sessionKey) => {
    streams.end(sessionKey);
    resumed.end(sessionKey);
    sse.end(sessionKey);
    inFlight.endSession(sessionKey);
  });
  const stop = () => {
    streams.close();
    resumed.close();
    sse.drain();
  };
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });

  return {
    post: (exchange, body) => streamable.post(exchange, body),
    get: (exchange) => streamable.get(exchange),
    delete: (exchange) => streamable.delete(exchange),
    async openSse(exchange) {
      sse.open(exchange);
    },
    postMessage: (exchange, sessionId, body) => sse.post(exchange, sessionId, body),
    async close() {
      stopping.removeEventListener('abort', stop);
      stopListening();
      streams.close();
      resumed.close();
      inFlight.close();
      sse.close();
      cancellations.close();
      questions.close();
      notices.close();
      streamLog.close();
    },
  };
}
