import type { JsonObject } from '../../../../../shared/mcp/json.ts';
import type { SessionBus, SessionState } from '../../edge.ts';

type Listener = (message: JsonObject) => void;
type AnswerListener = (sessionId: string, message: JsonObject) => void;

/** What the ingresses of one test share, in the place of NATS: messages arrive later and as copies, never as the same object. */
export interface MemoryCluster {
  join(ingress: string): SessionBus;
  /** How many listeners follow sessions now. */
  readonly attached: number;
}

export function createMemoryCluster(): MemoryCluster {
  const attached = new Map<string, Set<Listener>>();
  const answers = new Map<string, Set<AnswerListener>>();
  const states = new Map<string, SessionState>();
  const revoked = new Set<string>();
  const revokedListeners = new Set<(sessionId: string) => void>();

  const later = (message: JsonObject, arrive: (copy: JsonObject) => void) => {
    const text = JSON.stringify(message);
    setImmediate(() => arrive(JSON.parse(text)));
  };

  return {
    get attached() {
      return Array.from(attached.values(), (listeners) => listeners.size).reduce((sum, size) => sum + size, 0);
    },
    join: (ingress) => ({
      ingress,
      deliver(sessionId, message) {
        later(message, (copy) => {
          for (const listener of attached.get(sessionId) ?? []) listener(copy);
        });
      },
      attach(sessionId, listener) {
        const listeners = attached.get(sessionId) ?? new Set<Listener>();
        attached.set(sessionId, listeners.add(listener));
        return () => listeners.delete(listener);
      },
      answer(to, sessionId, message) {
        later(message, (copy) => {
          for (const listener of answers.get(to) ?? []) listener(sessionId, copy);
        });
      },
      onAnswer(listener) {
        const listeners = answers.get(ingress) ?? new Set<AnswerListener>();
        answers.set(ingress, listeners.add(listener));
        return () => listeners.delete(listener);
      },
      state: (sessionId) => states.get(sessionId),
      async setState(sessionId, state) {
        states.set(sessionId, state);
      },
      async revoke(sessionId) {
        revoked.add(sessionId);
        for (const listener of revokedListeners) listener(sessionId);
      },
      revoked: (sessionId) => revoked.has(sessionId),
      onRevoked(listener) {
        revokedListeners.add(listener);
        return () => revokedListeners.delete(listener);
      },
    }),
  };
}
