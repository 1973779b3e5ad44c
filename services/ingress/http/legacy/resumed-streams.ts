import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggedEvent } from '../../../../shared/bus/stream-log.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import type { EventIds, EventPlace } from '../../sessions/event-ids.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import { gatewayErrorBody } from '../answers.ts';
import type { EdgeDeps } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse, type SseStream } from '../sse-writer.ts';
import { keepAliveMs } from './post-answer.ts';
import { refuse } from './refusals.ts';
import { readStreamStatus } from './stream-log.ts';

type AnsweringPlace = Extract<EventPlace, { kind: 'answering' }>;

/** Streams whose readers came back with a `Last-Event-ID`, whichever ingress answers or answered them. */
export interface ResumedStreams {
  /** Writes what follows event `n`, until everything owed on that stream is written. */
  open(session: LegacySession, from: AnsweringPlace, res: ServerResponse): void;
  /** Ends those of a session. */
  end(sessionKey: string): void;
  /** Ends all: their readers go on elsewhere. */
  close(): void;
}

export interface ResumedStreamsOptions {
  readonly deps: Pick<EdgeDeps, 'sessions' | 'log'>;
  readonly eventIds: EventIds;
  readonly keepAlive: KeepAlive;
  readonly nextCallId: () => string;
}

/** How often a reader looks whether the ingress that answers still lives. */
const lookMs = 1_500;
const askWithinMs = 1_500;
/** An ingress that says nothing for so many looks, though NATS still knows it, is as lost. */
const mostSilent = 6;
/** What a process wrote last may reach the store a moment after NATS has noticed its end. */
const settleMs = 150;
/** Looks at the log before an event that should be in it is given up. */
const mostReads = 3;

export function createResumedStreams(options: ResumedStreamsOptions): ResumedStreams {
  const readers = new Map<string, Set<() => void>>();

  return {
    open({ key }, from, res) {
      const reader = createReader(options, key, from, res);
      const ofSession = readers.get(key) ?? new Set();
      readers.set(key, ofSession.add(reader.stop));
      res.once('close', () => {
        reader.stop();
        ofSession.delete(reader.stop);
        if (ofSession.size === 0) readers.delete(key);
      });
      reader.run().catch((error: unknown) => {
        options.deps.log.error({ err: error }, 'a resumed stream failed');
        reader.stop();
      });
    },
    end(sessionKey) {
      for (const stop of [...(readers.get(sessionKey) ?? [])]) stop();
    },
    close() {
      for (const stops of [...readers.values()]) for (const stop of [...stops]) stop();
    },
  };
}

function createReader(
  { deps, eventIds, keepAlive, nextCallId }: ResumedStreamsOptions,
  key: string,
  { stream, prefix, n: after }: AnsweringPlace,
  res: ServerResponse,
) {
  const { sessions, log } = deps;
  let out: SseStream | undefined;
  const quiet: Quiet = { lastWrite: performance.now(), quietMs: keepAliveMs, onQuiet: () => open().comment() };
  const stopped = new AbortController();
  const early = new Map<number, LoggedEvent>();
  /** The next event that the agent has not. */
  let next = after + 1;
  let incomplete = false;
  let ended = false;

  function take(event: LoggedEvent): void {
    if (event.n < next || stopped.signal.aborted) return;
    // The first of its number counts: two readers may have closed the same stream.
    if (!early.has(event.n)) early.set(event.n, event);
    for (let due = early.get(next); due !== undefined; due = early.get(next)) {
      early.delete(next);
      next += 1;
      if (due.ends) ended = true;
      else if (due.message === undefined) incomplete = true;
      else write(due.n, due.message);
    }
    if (ended && !incomplete) stop();
  }

  function open(): SseStream {
    out ??= openSse(res);
    return out;
  }

  function write(n: number, message: Uint8Array): void {
    quiet.lastWrite = performance.now();
    open().event(message, { id: eventIds.nth(prefix, n) });
  }

  const stop = () => {
    if (stopped.signal.aborted) return;
    stopped.abort();
    keepAlive.release(quiet);
    if (out !== undefined) out.end();
    // The answer for a GET that gets no stream. Clients that got an empty one would come back for ever.
    else if (ended) refuse(res, 405, 'Nothing follows on this stream');
    else open().end();
  };

  const pause = (ms: number) => delay(ms, undefined, { signal: stopped.signal }).catch(() => undefined);

  async function readLog(): Promise<readonly LoggedEvent[]> {
    const events = await sessions.history(key, stream.id);
    for (const event of events) take(event);
    return events;
  }

  /** Goes past what is in no log any more. */
  function skipTo(n: number): void {
    incomplete = true;
    log.info({ missing: n - next }, 'a resumed stream has a gap');
    next = n;
    const [due] = early.values();
    if (due !== undefined) take(due);
  }

  /** Nobody answers any more: each request that has no answer gets an error. */
  async function closeLost(): Promise<void> {
    const known = await readLog();
    if (ended) return;
    const answered = new Set(known.map(answeredId));
    let n = Math.max(next, ...known.map((event) => event.n + 1));
    const append = (message: string) => {
      sessions.append(key, stream.id, n, message);
      write(n, Buffer.from(message));
      n += 1;
    };
    for (const id of stream.requests) {
      if (answered.has(id)) continue;
      const lost = new GatewayError('upstream_lost', 'the gateway process that ran the call was lost', {
        executed: 'unknown',
      });
      append(gatewayErrorBody(id, lost, nextCallId()));
    }
    sessions.end(key, stream.id, n);
    ended = true;
  }

  async function follow(): Promise<void> {
    await readLog();
    if (!ended && !stopped.signal.aborted) open();
    for (let silent = 0, reads = 0; !ended && !stopped.signal.aborted; ) {
      const body = { session: key, stream: stream.id };
      const asked = await sessions.ask('streams', stream.owner, body, askWithinMs);
      const status = readStreamStatus(asked);
      if (status?.open === true) {
        silent = 0;
        reads = status.last >= next ? reads + 1 : 0;
        if (status.last >= next) await readLog();
        if (status.last >= next && reads > mostReads) skipTo(Math.min(status.last + 1, ...early.keys()));
        await pause(reads > 0 ? settleMs : lookMs);
      } else if (asked === 'silent' && silent < mostSilent) {
        silent += 1;
      } else {
        for (let read = 0; read < mostReads && !ended; read += 1) {
          await pause(settleMs);
          await readLog();
        }
        if (!ended && !stopped.signal.aborted) await closeLost();
      }
    }
    // An answer that was too large for the log, or fell out of it, is as lost.
    if (incomplete && !stopped.signal.aborted) await answerMissing();
  }

  async function answerMissing(): Promise<void> {
    const answered = new Set((await readLog()).map(answeredId));
    for (const id of stream.requests) {
      if (answered.has(id)) continue;
      const lost = new GatewayError('upstream_lost', 'the answer could not be kept for this connection', {
        executed: 'unknown',
      });
      write(next, Buffer.from(gatewayErrorBody(id, lost, nextCallId())));
    }
  }

  return {
    stop,
    async run() {
      const self = randomUUID();
      // An agent reads a stream once: whoever still reads it for a connection that it has left lets go.
      sessions.tell('reader', stream.id, { reader: self });
      const stopServing = sessions.serve('reader', stream.id, ({ reader }) => {
        if (reader !== self) stop();
        return undefined;
      });
      keepAlive.watch(quiet);
      const unfollow = await sessions.follow(key, stream.id, take);
      try {
        await follow();
      } finally {
        unfollow();
        stopServing();
        stop();
      }
    },
  };
}

/** The request that an event answers. */
function answeredId({ message }: LoggedEvent): RequestId | undefined {
  if (message === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || value['method'] !== undefined) return undefined;
  const { id } = value;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}
