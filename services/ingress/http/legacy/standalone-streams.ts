import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { EventIds, StandalonePlace } from '../../sessions/event-ids.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { EdgeDeps, SessionState } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse } from '../sse-writer.ts';
import type { Notices } from './notices.ts';
import { isPrimed, keepAliveMs, retryMs } from './post-answer.ts';

/** The streams that agents open with GET, for what belongs to no request of theirs: at most one for each session, on all ingresses. */
export interface StandaloneStreams {
  /**
   * Opens the stream, from where its reader was if it names a place. False when the session has its stream already, anywhere: a second
   * one must not replace the first (CVE-2026-33946), but whoever comes back to it with an event id does.
   */
  open(session: LegacySession, from: StandalonePlace | undefined, res: ServerResponse): Promise<boolean>;
  end(sessionKey: string): void;
  close(): void;
}

export interface StandaloneStreamsOptions {
  readonly deps: Pick<EdgeDeps, 'sessions'>;
  readonly eventIds: EventIds;
  readonly notices: Notices;
  readonly keepAlive: KeepAlive;
}

/** An ingress that does not say within this time that it holds the stream is taken for dead. */
const heldWithinMs = 1_500;

interface Opening {
  readonly from: StandalonePlace | undefined;
  /** The agent has left whichever stream it had. */
  readonly replaces: boolean;
}

export function createStandaloneStreams(options: StandaloneStreamsOptions): StandaloneStreams {
  const { deps, eventIds, notices, keepAlive } = options;
  const { sessions } = deps;
  const ends = new Map<string, () => void>();

  function serve(session: LegacySession, { from, replaces }: Opening, state: SessionState, res: ServerResponse) {
    const { key } = session;
    const self = randomBytes(16).toString('base64url');
    const stream = openSse(res);
    let lastId = '';
    const write = (message: string, place: StandalonePlace, more: { retryMs?: number } = {}) => {
      quiet.lastWrite = performance.now();
      lastId = eventIds.ofPlace(key, place);
      stream.event(message, { id: lastId, ...more });
    };
    const prime = (place: StandalonePlace, more?: { retryMs: number }) => {
      told = place;
      write('', place, more);
    };
    const notice = notices.open(session, write);
    let told = notice.place();
    const quiet: Quiet = {
      lastWrite: performance.now(),
      quietMs: keepAliveMs,
      onQuiet() {
        // Whoever comes back from an old place could not be told what it missed since.
        const place = notice.place();
        if (isPrimed(session) && !isSame(place, told)) prime(place);
        else stream.comment();
      },
    };

    const wanted = new Set<string>();
    const subscribe = (uris: readonly string[]) => {
      for (const uri of wanted) {
        if (uris.includes(uri)) continue;
        wanted.delete(uri);
        notice.remove(uri);
      }
      for (const uri of uris) {
        if (wanted.has(uri)) continue;
        wanted.add(uri);
        void notice.add(uri);
      }
    };
    subscribe(state.subscriptions ?? []);
    if (from !== undefined) notice.catchUp(from);
    if (isPrimed(session)) prime(notice.place(), { retryMs });

    const leaveState = sessions.onState((changed) => {
      if (changed === key) subscribe(sessions.state(key)?.subscriptions ?? []);
    });
    const stopServing = sessions.serve('standalone', key, ({ opened, replaces: isNewer }) => {
      if (typeof opened !== 'string') return { held: true };
      // Two that opened at once both hear of the other: one stays. Whoever replaces is where the agent is now.
      if (opened !== self && (isNewer === true || opened < self)) stream.end();
      return undefined;
    });
    sessions.tell('standalone', key, { opened: self, replaces });
    keepAlive.watch(quiet);
    const end = () => stream.end();
    ends.set(key, end);
    res.once('close', () => {
      if (ends.get(key) === end) ends.delete(key);
      keepAlive.release(quiet);
      leaveState();
      stopServing();
      notice.close();
    });
  }

  return {
    async open(session, from, res) {
      const { key } = session;
      const asked = from === undefined ? sessions.ask('standalone', key, {}, heldWithinMs) : undefined;
      const [held, state] = await Promise.all([asked, sessions.freshState(key)]);
      if (res.destroyed) return true;
      if (from === undefined && ((held !== undefined && typeof held !== 'string') || ends.has(key))) return false;
      ends.get(key)?.();
      // One that was only frozen lets go when it hears of this.
      serve(session, { from, replaces: from !== undefined || held === 'silent' }, state ?? {}, res);
      if (sessions.revoked(key)) ends.get(key)?.();
      return true;
    },
    end: (sessionKey) => ends.get(sessionKey)?.(),
    close() {
      for (const end of [...ends.values()]) end();
    },
  };
}

function isSame(one: StandalonePlace, other: StandalonePlace): boolean {
  const { updates: a, lists: x } = one;
  const { updates: b, lists: y } = other;
  return (
    a.epoch === b.epoch &&
    a.seq === b.seq &&
    x.tools === y.tools &&
    x.prompts === y.prompts &&
    x.resources === y.resources
  );
}
