import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { CallTiming } from '../../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { RequestId, RpcError } from '../../../../shared/mcp/json-rpc.ts';
import type { AgentReply } from '../../request.ts';
import { joined, rpcErrorBody, sendJson, sendPieces, serverTiming } from '../answers.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse, type SseStream } from '../sse-writer.ts';
import { spliceResult } from './splice.ts';

/** How long an answer may take before its agent's proxies must hear that it is alive, and how often then. Milliseconds. */
const quietBeforeStreamMs = 10_000;
const quietInStreamMs = 15_000;

export interface Answer {
  /** Streams a notification ahead of the result; opens the event stream if need be. Dropped when the agent accepts JSON alone. */
  notify(method: string, params: JsonObject): void;
  result(reply: Extract<AgentReply, { kind: 'result' }>): void;
  /** `status` and `headers` hold where nothing has been streamed. */
  error(error: RpcError, status: number, timing?: CallTiming, headers?: OutgoingHttpHeaders): void;
  /** No further keep-alives; called once the agent is gone. */
  abandon(): void;
}

/**
 * The answer to one request: one JSON document, unless something has to be said before it; then an event stream. The timing stands in
 * `Server-Timing`, which is a trailer where the headers have already left.
 */
export function createAnswer(
  res: ServerResponse,
  id: RequestId,
  accept: string | undefined,
  receivedAt: number,
  keepAlive: KeepAlive,
): Answer {
  const takesStream = acceptsStream(accept);
  // HTTP/1.0 (nginx towards its upstreams, unless told otherwise) has no chunks to put trailers after.
  const hasTrailers = res.useChunkedEncodingByDefault;
  let stream: SseStream | undefined;
  const quiet: Quiet & { quietMs: number } = {
    lastWrite: receivedAt,
    quietMs: quietBeforeStreamMs,
    onQuiet() {
      const open = streamOf();
      open.comment('keep-alive');
    },
  };
  if (takesStream) keepAlive.watch(quiet);

  function streamOf(): SseStream {
    stream ??= openSse(res, { headers: hasTrailers ? { trailer: 'Server-Timing' } : {} });
    quiet.quietMs = quietInStreamMs;
    return stream;
  }

  function end(open: SseStream, body: string | Uint8Array, timing: CallTiming | undefined): void {
    open.event(body);
    if (hasTrailers && !open.closed) res.addTrailers({ 'server-timing': timingOf(timing) });
    open.end();
  }

  function timingOf(timing: CallTiming | undefined): string {
    return serverTiming(performance.now() - receivedAt, timing);
  }

  return {
    notify(method, params) {
      if (!takesStream) return;
      streamOf().event(`{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`);
      quiet.lastWrite = performance.now();
    },
    result(reply) {
      keepAlive.release(quiet);
      const spliced = spliceResult(id, reply);
      if (stream === undefined && !wantsStreamOnly(accept)) {
        sendPieces(res, 200, spliced, { 'server-timing': timingOf(reply.timing) });
        return;
      }
      end(streamOf(), joined(spliced), reply.timing);
    },
    error(error, status, timing, headers) {
      keepAlive.release(quiet);
      const body = rpcErrorBody(id, error);
      if (stream === undefined) sendJson(res, status, body, { 'server-timing': timingOf(timing), ...headers });
      else end(stream, body, timing);
    },
    abandon() {
      keepAlive.release(quiet);
    },
  };
}

/** Liberal: an agent that names neither type, or none at all, gets what fits. */
function acceptsStream(accept: string | undefined): boolean {
  return accept === undefined || /text\/(?:event-stream|\*)|\*\/\*/i.test(accept) || !/application\/json/i.test(accept);
}

function wantsStreamOnly(accept: string | undefined): boolean {
  return accept !== undefined && /text\/event-stream/i.test(accept) && !/application\/(?:json|\*)|\*\/\*/i.test(accept);
}
