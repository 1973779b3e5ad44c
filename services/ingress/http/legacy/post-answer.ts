import type { ServerResponse } from 'node:http';
import { sendJson } from '../answers.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse, type SseStream } from '../sse-writer.ts';
import type { Answer } from './answer.ts';
import type { Outlet } from './outlet.ts';
import type { StreamLog, StreamRecord } from './stream-log.ts';

/** A quiet answer becomes a stream after this, so that no proxy between cuts it. */
const quietMs = 10_000;
/** A stream says something at least this often. */
export const keepAliveMs = 15_000;

/**
 * The HTTP response to a POST with requests: one JSON text when nothing comes before the answers, an event stream from the first
 * notification, the first question, or ten quiet seconds on. Losing the agent ends the response and nothing else.
 */
export interface PostAnswer extends Outlet {
  /** The answer to one of the requests; the last one ends the response. */
  answer(answer: Answer): void;
}

export interface PostAnswerOptions {
  readonly res: ServerResponse;
  readonly keepAlive: KeepAlive;
  readonly streamLog: StreamLog;
  readonly sessionKey: string;
  /** How many requests the POST held. */
  readonly requests: number;
  readonly batch: boolean;
}

export function createPostAnswer(options: PostAnswerOptions): PostAnswer {
  const { res, keepAlive, batch } = options;
  const early: Answer[] = [];
  let open = options.requests;
  let stream: SseStream | undefined;
  let record: StreamRecord | undefined;

  const write = (message: string | Uint8Array) => {
    quiet.lastWrite = performance.now();
    stream?.event(message, record && { id: record.append(message) });
  };
  const upgrade = () => {
    if (stream !== undefined) return;
    stream = openSse(res);
    record = options.streamLog.open(options.sessionKey);
    if (record) stream.event('', { id: record.firstId });
    for (const { body } of early) if (body !== undefined) write(body);
  };
  const quiet: Quiet = {
    lastWrite: performance.now(),
    get quietMs() {
      return stream === undefined ? quietMs : keepAliveMs;
    },
    onQuiet() {
      upgrade();
      stream?.comment();
    },
  };
  keepAlive.watch(quiet);

  const finish = () => {
    keepAlive.release(quiet);
    // A cancelled request has no answer, and the only response without one is an empty stream.
    if (stream === undefined && early.some(({ body }) => body !== undefined)) return sendWhole(res, early, batch);
    upgrade();
    record?.end();
    stream?.end();
  };

  return {
    get closed() {
      return res.destroyed || res.writableEnded;
    },
    send(message) {
      if (open === 0) return;
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

const comma = Buffer.from(',');

function sendWhole(res: ServerResponse, answers: readonly Answer[], batch: boolean): void {
  const [only] = answers;
  if (!batch && only?.body !== undefined) {
    sendJson(res, only.status, only.body, only.headers);
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
