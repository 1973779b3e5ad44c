import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { SessionBus } from '../http/edge.ts';

/**
 * The subjects of sessions this ingress follows. Several parts of the edge may follow the same session (its stream, its running
 * calls); the bus is joined once and left with the last of them.
 */
export interface SessionLines {
  /** Returns the function that lets go. */
  follow(sessionKey: string, listener: (message: JsonObject) => void): () => void;
}

export function createSessionLines(bus: SessionBus): SessionLines {
  const lines = new Map<string, { listeners: Set<(message: JsonObject) => void>; detach: () => void }>();

  const join = (sessionKey: string) => {
    const listeners = new Set<(message: JsonObject) => void>();
    const detach = bus.attach(sessionKey, (message) => {
      for (const listener of listeners) listener(message);
    });
    const line = { listeners, detach };
    lines.set(sessionKey, line);
    return line;
  };

  return {
    follow(sessionKey, listener) {
      const line = lines.get(sessionKey) ?? join(sessionKey);
      line.listeners.add(listener);
      return () => {
        if (!line.listeners.delete(listener) || line.listeners.size > 0) return;
        lines.delete(sessionKey);
        line.detach();
      };
    },
  };
}
