import type { AskKind } from '../../../../../shared/bus/asks.ts';
import type { LoggedEvent } from '../../../../../shared/bus/stream-log.ts';
import type { JsonObject } from '../../../../../shared/mcp/json.ts';
import type { SessionBus, SessionState } from '../../edge.ts';

type Listener = (message: JsonObject) => void;
type AnswerListener = (sessionId: string, message: JsonObject) => void;
type Serve = (body: JsonObject) => JsonObject | undefined;

/** What the ingresses of one test share, in the place of NATS: messages arrive later and as copies, never as the same object. */
export interface MemoryCluster {
  join(ingress: string): SessionBus;
  /** An ingress is gone as by SIGKILL: nothing of it reaches the others any more. */
  lose(ingress: string): void;
  /** How many listeners follow sessions now. */
  readonly attached: number;
}

export function createMemoryCluster(): MemoryCluster {
  const attached = new Map<string, Set<Listener>>();
  const answers = new Map<string, Set<AnswerListener>>();
  const served = new Map<string, Map<Serve, string>>();
  const states = new Map<string, SessionState>();
  const stateListeners = new Set<(sessionId: string) => void>();
  const logs = new Map<string, LoggedEvent[]>();
  const followers = new Map<string, Set<(event: LoggedEvent) => void>>();
  const revoked = new Set<string>();
  const revokedListeners = new Set<(sessionId: string) => void>();
  const lost = new Set<string>();

  const later = (message: JsonObject, arrive: (copy: JsonObject) => void) => {
    const text = JSON.stringify(message);
    setImmediate(() => arrive(JSON.parse(text)));
  };
  const serversOf = (kind: AskKind, id: string) =>
    [...(served.get(`${kind} ${id}`) ?? [])].filter(([, ingress]) => !lost.has(ingress)).map(([serve]) => serve);
  const write = (session: string, stream: string, event: LoggedEvent) => {
    const name = `${session} ${stream}`;
    logs.set(name, [...(logs.get(name) ?? []), event]);
    setImmediate(() => {
      for (const follower of followers.get(name) ?? []) follower(event);
    });
  };

  return {
    get attached() {
      const sizes = [...attached.values(), ...followers.values()].map(({ size }) => size);
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    lose: (ingress) => void lost.add(ingress),
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
      ask: (kind, id, body) =>
        new Promise((resolve) => {
          later(body, (copy) => {
            const servers = serversOf(kind, id);
            if (servers.length === 0) return resolve('nobody');
            const said = servers.map((serve) => serve(copy)).find((answer) => answer !== undefined);
            resolve(said ?? 'silent');
          });
        }),
      tell(kind, id, body) {
        later(body, (copy) => {
          for (const serve of serversOf(kind, id)) serve(copy);
        });
      },
      serve(kind, id, answer) {
        const name = `${kind} ${id}`;
        const servers = served.get(name) ?? new Map<Serve, string>();
        served.set(name, servers.set(answer, ingress));
        return () => servers.delete(answer);
      },
      append(session, stream, n, message) {
        if (!lost.has(ingress)) write(session, stream, { n, message: Buffer.from(message) });
      },
      end(session, stream, n) {
        if (!lost.has(ingress)) write(session, stream, { n, ends: true });
      },
      history: async (session, stream) => logs.get(`${session} ${stream}`) ?? [],
      async follow(session, stream, onEvent) {
        const name = `${session} ${stream}`;
        const listeners = followers.get(name) ?? new Set<(event: LoggedEvent) => void>();
        followers.set(name, listeners.add(onEvent));
        return () => listeners.delete(onEvent);
      },
      state: (sessionId) => states.get(sessionId),
      freshState: async (sessionId) => states.get(sessionId),
      async changeState(sessionId, change) {
        const next = change(states.get(sessionId));
        if (next === undefined) return;
        states.set(sessionId, next);
        for (const listener of stateListeners) listener(sessionId);
      },
      onState(listener) {
        stateListeners.add(listener);
        return () => stateListeners.delete(listener);
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
