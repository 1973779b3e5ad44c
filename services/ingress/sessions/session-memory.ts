import type { LogLevel } from '../../../shared/mcp/call.ts';
import type { SessionBus, SessionState } from '../http/edge.ts';
import { noteMessage } from './session-notes.ts';

/** Subscriptions one session may hold: they live in a store every ingress follows. */
export const maxSubscriptions = 256;

/** What a session has set by its own requests and expects to hold for the next ones, wherever they land. */
export interface SessionMemory {
  /** `debug` until the agent sets another. */
  logLevel(): LogLevel;
  setLogLevel(level: LogLevel): Promise<void>;
  /** False when the session holds as many subscriptions as it may. */
  subscribe(uri: string): Promise<boolean>;
  unsubscribe(uri: string): Promise<void>;
}

/** Opens the memory of a session that any ingress may serve: kept on the bus, and told to whoever holds the agent's stream. */
export function createSharedMemory(bus: SessionBus): (sessionKey: string) => SessionMemory {
  // Two changes of one session at once would each write the state without the other's.
  const writing = new Map<string, Promise<void>>();

  const change = (sessionKey: string, next: (state: SessionState) => SessionState | undefined): Promise<void> => {
    const before = writing.get(sessionKey) ?? Promise.resolve();
    const write = before.then(async () => {
      const state = next(bus.state(sessionKey) ?? {});
      if (state !== undefined) await bus.setState(sessionKey, state);
    });
    const settled = write
      .catch(() => {})
      .then(() => {
        if (writing.get(sessionKey) === settled) writing.delete(sessionKey);
      });
    writing.set(sessionKey, settled);
    return write;
  };

  return (sessionKey) => ({
    logLevel: () => bus.state(sessionKey)?.logLevel ?? 'debug',
    setLogLevel: (logLevel) => change(sessionKey, (state) => ({ ...state, logLevel })),
    async subscribe(uri) {
      let full = false;
      await change(sessionKey, (state) => {
        const subscriptions = state.subscriptions ?? [];
        if (subscriptions.includes(uri)) return undefined;
        full = subscriptions.length >= maxSubscriptions;
        return full ? undefined : { ...state, subscriptions: [...subscriptions, uri] };
      });
      if (!full) bus.deliver(sessionKey, noteMessage({ toolbus: 'subscribe', uri }));
      return !full;
    },
    async unsubscribe(uri) {
      await change(sessionKey, (state) => {
        const subscriptions = state.subscriptions ?? [];
        if (!subscriptions.includes(uri)) return undefined;
        return { ...state, subscriptions: subscriptions.filter((held) => held !== uri) };
      });
      bus.deliver(sessionKey, noteMessage({ toolbus: 'unsubscribe', uri }));
    },
  });
}
