import type { LogLevel } from '../../../shared/mcp/call.ts';
import type { SessionBus } from '../http/edge.ts';

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

/** Opens the memory of a session that any ingress may serve: kept on the bus, which tells whoever holds the agent's stream. */
export function createSharedMemory(bus: SessionBus): (sessionKey: string) => SessionMemory {
  return (sessionKey) => ({
    logLevel: () => bus.state(sessionKey)?.logLevel ?? 'debug',
    setLogLevel: (logLevel) => bus.changeState(sessionKey, (state) => ({ ...state, logLevel })),
    async subscribe(uri) {
      let full = false;
      await bus.changeState(sessionKey, (state) => {
        const subscriptions = state?.subscriptions ?? [];
        full = !subscriptions.includes(uri) && subscriptions.length >= maxSubscriptions;
        if (full || subscriptions.includes(uri)) return undefined;
        return { ...state, subscriptions: [...subscriptions, uri] };
      });
      return !full;
    },
    async unsubscribe(uri) {
      await bus.changeState(sessionKey, (state) => {
        const subscriptions = state?.subscriptions ?? [];
        if (!subscriptions.includes(uri)) return undefined;
        return { ...state, subscriptions: subscriptions.filter((held) => held !== uri) };
      });
    },
  });
}
