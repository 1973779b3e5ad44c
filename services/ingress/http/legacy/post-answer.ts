import type { ServerResponse } from 'node:http';
import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import { latestLegacy } from '../../../../shared/mcp/revisions.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import { sendJson, sendPieces } from '../answers.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse, type SseStream } from '../sse-writer.ts';
import type { Answer } from './answer.ts';
import type { Outlet } from './outlet.ts';
import type { StreamLog, StreamRecord } from './stream-log.ts';

/** A quiet answer becomes a stream after this: no proxy between cuts it then, and an agent that loses it can go on elsewhere. */
const quietMs = 3_000;
/** A stream says something at least this often. */
export const keepAliveMs = 15_000;
/** How long a reader that lost its connection should wait before it comes back. */
export const retryMs = 500;

/**
 * The HTTP response to a POST with requests: one JSON text when nothing comes before the answers, an event stream from the first
 * notification, the first question, or three quiet seconds on. Losing the agent ends the response and nothing else; what is written to
 * a stream can be had again elsewhere.
 */
export interface PostAnswer extends Outlet {
  /** The answer to one of the requests; the last one ends the response. */
  answer(answer: Answer): void;
}

export interface PostAnswerOptions {
  readonly res: ServerResponse;
  readonly keepAlive: KeepAlive;
  readonly streamLog: StreamLog;
  readonly session: LegacySession;
  /** Ids of the requests that the POST held. */
  readonly requests: readonly RequestId[];
  readonly batch: boolean;
}

export function createPostAnswer(options: PostAnswerOptions): PostAnswer {
  const { res, keepAlive, batch, session, requests } = options;
  const early: Answer[] = [];
  let open = requests.length;
  let stream: SseStream | undefined;
  let record: StreamRecord | undefined;

  const write = (message: string | Uint8Array) => {
    quiet.lastWrite = performance.now();
    stream?.event(message, record && { id: record.append(message) });
  };
  const upgrade = () => {
    if (stream !== undefined) return;
    const opened = openSse(res);
    stream = opened;
    record = options.streamLog.open(session.key, requests);
    if (record) {
      record.onTaken = () => opened.end();
      if (isPrimed(session)) opened.event('', { id: record.firstId, retryMs });
    }
    for (const { body } of early) if (body !== undefined) write(body);
  };
  const quiet: Quiet = {
    lastWrite: performance.now(),
    get quietMs() {
      return stream === undefined ? quietMs : keepAliveMs;
    },
    onQuiet() {
      // Whoever left before the first event has no id to come back with.
      if (stream === undefined && res.destroyed) return;
      upgrade();
      stream?.comment();
    },
  };
  keepAlive.watch(quiet);

  const finish = () => {
    keepAlive.release(quiet);
    if (stream === undefined && early.some(isSaid)) return sendWhole(res, early, batch);
    record?.end();
    // A cancelled request has no answer, and the only response without one is an empty stream.
    (stream ?? openSse(res)).end();
  };

  return {
    get closed() {
      return open === 0 || (record === undefined && (res.destroyed || res.writableEnded));
    },
    send(message) {
      if (open === 0 || (stream === undefined && res.destroyed)) return;
      upgrade();
      write(message);
    },
    answer(answer) {
      open -= 1;
      if (stream === undefined) early.push(answer);
      else if (answer.body !== undefined) write(answer.body);
      if (open === 0) finish();
    },
  };
}

/** Only this revision has empty events (SEP-1699); readers of older ones take each for a message. */
export function isPrimed({ protocolVersion }: LegacySession): boolean {
  return protocolVersion === latestLegacy;
}

function isSaid(answer: Answer): boolean {
  return answer.pieces !== undefined || answer.body !== undefined;
}

const comma = Buffer.from(',');

function sendWhole(res: ServerResponse, answers: readonly Answer[], batch: boolean): void {
  const [only] = answers;
  if (!batch && only !== undefined && isSaid(only)) {
    if (only.pieces !== undefined) sendPieces(res, only.status, only.pieces, only.headers);
    else sendJson(res, only.status, only.body ?? '', only.headers);
    return;
  }
  const parts: Uint8Array[] = [];
  for (const { body } of answers) {
    if (body === undefined) continue;
    if (parts.length > 0) parts.push(comma);
    parts.push(typeof body === 'string' ? Buffer.from(body) : body);
  }
  sendJson(res, 200, Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')]));
}
