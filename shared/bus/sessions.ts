import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import type { Buckets } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';
import { token } from './subjects.ts';

/** Legacy sessions across ingresses: their streams by subject, what they have set by KV, followed in memory. */
export interface BusSessions<State> {
  readonly ingress: string;
  deliver(sessionId: string, message: JsonObject): void;
  attach(sessionId: string, onMessage: (message: JsonObject) => void): () => void;
  answer(ingress: string, sessionId: string, message: JsonObject): void;
  onAnswer(listener: (sessionId: string, message: JsonObject) => void): () => void;
  state(sessionId: string): State | undefined;
  setState(sessionId: string, state: State): Promise<void>;
  revoke(sessionId: string): Promise<void>;
  revoked(sessionId: string): boolean;
  onRevoked(listener: (sessionId: string) => void): () => void;
  close(): void;
}

export interface BusSessionsOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly buckets: Buckets;
  readonly ingress: string;
  readonly log: Logger;
}

export function createBusSessions<State extends object>(options: BusSessionsOptions): BusSessions<State> {
  const { nc, subjects, buckets, ingress, log } = options;
  const states = new Map<string, State>();
  const ended = new Set<string>();
  const answerListeners = new Set<(sessionId: string, message: JsonObject) => void>();
  const revokedListeners = new Set<(sessionId: string) => void>();

  const answers = nc.subscribe(subjects.answers(ingress), {
    callback: (error, message) => {
      const envelope = error === null ? readJsonObject(message.data) : undefined;
      if (envelope === undefined || typeof envelope['session'] !== 'string' || !isJsonObject(envelope['message']))
        return;
      for (const listener of answerListeners) listener(envelope['session'], envelope['message']);
    },
  });

  const following = followBucket({
    kv: buckets.sessions,
    log,
    onEntry(key, value) {
      const id = key.slice(2);
      if (key.startsWith('r.')) onRevocation(id, value !== undefined);
      else if (value === undefined) states.delete(id);
      else {
        const state = readJsonObject(value);
        if (state !== undefined) states.set(id, state as State);
      }
    },
  });

  function onRevocation(id: string, isRevoked: boolean): void {
    if (!isRevoked) {
      ended.delete(id);
      return;
    }
    if (ended.has(id)) return;
    ended.add(id);
    states.delete(id);
    for (const listener of revokedListeners) listener(id);
  }

  return {
    ingress,
    deliver(sessionId, message) {
      nc.publish(subjects.session(sessionId), JSON.stringify(message));
    },
    attach(sessionId, onMessage) {
      const subscription = nc.subscribe(subjects.session(sessionId), {
        callback: (error, message) => {
          const decoded = error === null ? readJsonObject(message.data) : undefined;
          if (decoded !== undefined) onMessage(decoded);
        },
      });
      return () => subscription.unsubscribe();
    },
    answer(to, sessionId, message) {
      nc.publish(subjects.answers(to), JSON.stringify({ session: sessionId, message }));
    },
    onAnswer(listener) {
      answerListeners.add(listener);
      return () => answerListeners.delete(listener);
    },
    state: (sessionId) => states.get(token(sessionId)),
    async setState(sessionId, state) {
      // Seen here at once: the agent's next request may come before the bucket's echo.
      states.set(token(sessionId), state);
      await buckets.sessions.put(`s.${token(sessionId)}`, JSON.stringify(state));
    },
    async revoke(sessionId) {
      onRevocation(token(sessionId), true);
      await buckets.sessions.put(`r.${token(sessionId)}`, '1');
      await buckets.sessions.purge(`s.${token(sessionId)}`);
    },
    revoked: (sessionId) => ended.has(token(sessionId)),
    onRevoked(listener) {
      revokedListeners.add(listener);
      return () => revokedListeners.delete(listener);
    },
    close() {
      answers.unsubscribe();
      following.close();
    },
  };
}
