import { type Cancellation, type CancelSignal, createCancellation } from '../../../../shared/cancellation.ts';
import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import { ShortLivedMap } from '../../../../shared/short-lived.ts';
import type { SessionLines } from '../../sessions/session-lines.ts';
import { readNote } from '../../sessions/session-notes.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';

export type AbortCause = 'cancelled' | 'closing';

/** One request that is being answered here. */
export interface Flight {
  readonly signal: CancelSignal;
  /** Called once when nobody waits for the answer any more, or the ingress closes and cannot; never after `end`. */
  onAbort: ((why: AbortCause) => void) | undefined;
  end(): void;
}

/**
 * The requests of all sessions that are being answered by this ingress. The agent's cancellation may reach another one, which passes
 * it on over the session's subject; that is followed here only for sessions that have had requests in flight for about a
 * second, so that a quick call costs no subscription.
 */
export interface InFlight {
  /** Undefined when the session has a request with this id in flight. */
  begin(sessionKey: string, id: RequestId): Flight | undefined;
  /** False when no such request is in flight here. */
  cancel(sessionKey: string, id: RequestId, reason: string): boolean;
  /** Aborts every request of a session that has ended. */
  endSession(sessionKey: string): void;
  count(sessionKey: string): number;
  close(): void;
}

/** How long a session has requests in flight before its subject is followed, plus the beat of KeepAlive. */
const quickMs = 250;

const byAgent = 'cancelled by the agent';

interface Running {
  readonly abort: Cancellation;
  readonly flight: Flight;
}

interface SessionFlights {
  readonly running: ShortLivedMap<RequestId, Running>;
  readonly quick: Quiet;
  leave: (() => void) | undefined;
}

export function createInFlight(lines: SessionLines, keepAlive: KeepAlive): InFlight {
  const sessions = new ShortLivedMap<string, SessionFlights>();

  const forget = (sessionKey: string, session: SessionFlights) => {
    sessions.delete(sessionKey);
    keepAlive.release(session.quick);
    session.leave?.();
  };

  const abort = (running: Running, reason: string, cause: AbortCause) => {
    const { flight } = running;
    const told = flight.onAbort;
    flight.end();
    running.abort.abort(new DOMException(reason, 'AbortError'));
    told?.(cause);
  };

  const cancel = (sessionKey: string, id: RequestId, reason: string) => {
    const running = sessions.get(sessionKey)?.running.get(id);
    if (running === undefined) return false;
    abort(running, reason, 'cancelled');
    return true;
  };

  const open = (sessionKey: string): SessionFlights => {
    const session: SessionFlights = {
      running: new ShortLivedMap(),
      leave: undefined,
      quick: {
        lastWrite: performance.now(),
        quietMs: quickMs,
        onQuiet() {
          keepAlive.release(session.quick);
          session.leave = lines.follow(sessionKey, (message) => {
            const note = readNote(message);
            if (note?.toolbus === 'cancel') cancel(sessionKey, note.requestId, note.reason ?? byAgent);
          });
        },
      },
    };
    sessions.set(sessionKey, session);
    keepAlive.watch(session.quick);
    return session;
  };

  const endSession = (sessionKey: string, reason: string, cause: AbortCause) => {
    const session = sessions.get(sessionKey);
    if (session === undefined) return;
    for (const running of [...session.running.values()]) abort(running, reason, cause);
  };

  return {
    begin(sessionKey, id) {
      const session = sessions.get(sessionKey) ?? open(sessionKey);
      if (session.running.has(id)) return undefined;
      const controller = createCancellation();
      const flight: Flight = {
        signal: controller.signal,
        onAbort: undefined,
        end() {
          if (session.running.get(id)?.flight !== flight) return;
          flight.onAbort = undefined;
          session.running.delete(id);
          if (session.running.size === 0) forget(sessionKey, session);
        },
      };
      session.running.set(id, { abort: controller, flight });
      return flight;
    },
    cancel,
    endSession: (sessionKey) => endSession(sessionKey, 'the session has ended', 'cancelled'),
    count: (sessionKey) => sessions.get(sessionKey)?.running.size ?? 0,
    close() {
      for (const sessionKey of [...sessions.keys()]) endSession(sessionKey, 'the ingress is stopping', 'closing');
    },
  };
}
