import { GatewayError } from '../../../shared/errors.ts';
import type { LegacySession } from './legacy-session.ts';

/** Sessions with one legacy server, one for each agent (or session of an agent) that it keeps something for. */
export interface KeyedSessions {
  /** The session of this key; opens one where there is none. Rejects with `no_worker`, once, where the server has ended the last one. */
  of(key: string): Promise<LegacySession>;
  /** The server does not know this session any more. */
  ended(session: LegacySession): void;
  close(): Promise<void>;
}

interface Kept {
  readonly opening: Promise<LegacySession>;
  session: LegacySession | undefined;
  usedAt: number;
  ended: boolean;
}

/** What nobody used for so long is closed; the server would do so itself. */
const idleMs = 60 * 60_000;
const sweepMs = 60_000;
/** Beyond this the one used longest ago is closed. */
const maxSessions = 1_000;

export function createKeyedSessions(open: () => Promise<LegacySession>): KeyedSessions {
  const kept = new Map<string, Kept>();
  const sweeper = setInterval(() => {
    const now = performance.now();
    for (const [key, { usedAt }] of kept) if (now - usedAt > idleMs) forget(key);
  }, sweepMs).unref();

  function forget(key: string): void {
    const gone = kept.get(key);
    kept.delete(key);
    gone?.opening.then((session) => session.close()).catch(() => {});
  }

  function begin(key: string): Kept {
    const opening = open();
    const fresh: Kept = { opening, session: undefined, usedAt: performance.now(), ended: false };
    kept.set(key, fresh);
    opening.then(
      (session) => {
        fresh.session = session;
      },
      () => {
        if (kept.get(key) === fresh) kept.delete(key);
      },
    );
    const [oldest] = kept.keys();
    if (kept.size > maxSessions && oldest !== undefined) forget(oldest);
    return fresh;
  }

  return {
    async of(key) {
      const known = kept.get(key);
      if (known?.ended) {
        forget(key);
        throw stateLost();
      }
      if (known === undefined) return begin(key).opening;
      // The map is in the order of use.
      kept.delete(key);
      kept.set(key, known);
      known.usedAt = performance.now();
      return known.opening;
    },
    ended(session) {
      for (const entry of kept.values()) if (entry.session === session) entry.ended = true;
    },
    async close() {
      clearInterval(sweeper);
      const all = [...kept.values()];
      kept.clear();
      await Promise.allSettled(all.map(({ opening }) => opening.then((session) => session.close())));
    },
  };
}

function stateLost(): GatewayError {
  const message = 'the server has ended the session that kept the state of this agent; the next call begins a new one';
  return new GatewayError('no_worker', message);
}
