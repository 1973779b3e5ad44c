import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import { type Asks, createAsks } from './asks.ts';
import { type Buckets, bucketTtl, withBucket } from './buckets.ts';
import { followBucket } from './follow.ts';
import { readJsonObject } from './json-bytes.ts';
import { type BusStreamLog, createBusStreamLog } from './stream-log.ts';
import type { Subjects } from './subjects.ts';
import { token } from './subjects.ts';

/** Legacy sessions across ingresses: their streams by subject, what they have set by KV, followed in memory. */
export interface BusSessions<State> extends Asks, Omit<BusStreamLog, 'close'> {
  readonly ingress: string;
  deliver(sessionId: string, message: JsonObject): void;
  attach(sessionId: string, onMessage: (message: JsonObject) => void): () => void;
  answer(ingress: string, sessionId: string, message: JsonObject): void;
  onAnswer(listener: (sessionId: string, message: JsonObject) => void): () => void;
  state(sessionId: string): State | undefined;
  freshState(sessionId: string): Promise<State | undefined>;
  changeState(sessionId: string, change: (state: State | undefined) => State | undefined): Promise<void>;
  onState(listener: (sessionId: string) => void): () => void;
  revoke(sessionId: string): Promise<void>;
  revoked(sessionId: string): boolean;
  onRevoked(listener: (sessionId: string) => void): () => void;
  /** Resolves when it is known which sessions were ended before this process began. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

export interface BusSessionsOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly tenant: string;
  readonly buckets: Pick<Buckets, 'sessions' | 'restore'>;
  readonly ingress: string;
  readonly log: Logger;
}

interface Known<State> {
  readonly state: State;
  readonly revision: number;
  /** `performance.now()`. */
  readonly at: number;
}

/** Two ingresses that change one session at the same moment try again this often. */
const mostTries = 20;
const sweepMs = 3_600_000;

export function createBusSessions<State extends object>(options: BusSessionsOptions): BusSessions<State> {
  const { nc, subjects, buckets, ingress, log } = options;
  const states = new Map<string, Known<State>>();
  /** Ended sessions, and since when that is known here. */
  const ended = new Map<string, number>();
  const answerListeners = new Set<(sessionId: string, message: JsonObject) => void>();
  const stateListeners = new Set<(sessionId: string) => void>();
  const revokedListeners = new Set<(sessionId: string) => void>();
  const { close: closeLog, ...streamLog } = createBusStreamLog(options);

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
    restore: buckets.restore,
    log,
    onEntry(key, value, revision) {
      const id = key.slice(2);
      if (key.startsWith('r.')) onRevocation(id, value !== undefined);
      else learn(id, value === undefined ? undefined : readState(value), revision);
    },
    onAnew() {
      for (const [id, known] of states) states.set(id, { ...known, revision: 0 });
      // First of all, what is over: an ingress that starts later would take such a session for a living one.
      const over = Array.from(ended.keys(), (id) => [`r.${id}`, '1'] as const);
      return [...over, ...Array.from(states, ([id, { state }]) => [`s.${id}`, JSON.stringify(state)] as const)];
    },
  });
  // NATS does not announce what expires.
  const sweep = setInterval(() => {
    const before = performance.now() - bucketTtl.sessionsMs;
    for (const [id, at] of ended) if (at < before) ended.delete(id);
    for (const [id, { at }] of states) if (at < before) states.delete(id);
  }, sweepMs);
  sweep.unref();

  function readState(value: Uint8Array): State | undefined {
    return readJsonObject(value) as State | undefined;
  }

  /** The newest revision counts: our own change may be known before the bucket tells of an older one. */
  function learn(id: string, state: State | undefined, revision: number): void {
    const known = states.get(id);
    if (known !== undefined && known.revision >= revision) return;
    if (state === undefined) states.delete(id);
    else states.set(id, { state, revision, at: performance.now() });
    for (const listener of stateListeners) listener(id);
  }

  function onRevocation(id: string, isRevoked: boolean): void {
    if (!isRevoked) {
      ended.delete(id);
      return;
    }
    if (ended.has(id)) return;
    ended.set(id, performance.now());
    states.delete(id);
    for (const listener of revokedListeners) listener(id);
  }

  async function read(id: string): Promise<{ state: State | undefined; revision: number; isOver: boolean }> {
    const entry = await withBucket(buckets, () => buckets.sessions.get(`s.${id}`));
    const revision = entry?.revision ?? 0;
    const state = entry?.operation === 'PUT' ? readState(entry.value) : undefined;
    if (entry !== null) learn(id, state, revision);
    // Only the end of a session takes away what it had set; what has expired leaves nothing.
    return { state, revision, isOver: entry !== null && entry.operation !== 'PUT' };
  }

  return {
    ...createAsks(nc, subjects),
    ...streamLog,
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
    state: (sessionId) => states.get(token(sessionId))?.state,
    async freshState(sessionId) {
      const id = token(sessionId);
      // A copy that lags behind may know less than this process.
      await read(id).catch((error: unknown) => log.warn({ err: error }, 'cannot read the state of a session'));
      return states.get(id)?.state;
    },
    async changeState(sessionId, change) {
      const id = token(sessionId);
      for (let tries = 1; ; tries += 1) {
        const { state, revision, isOver } = await read(id);
        if (isOver || ended.has(id)) return;
        const next = change(state);
        if (next === undefined) return;
        try {
          // Fails when another ingress has written since.
          const text = JSON.stringify(next);
          const written = await (revision === 0
            ? buckets.sessions.create(`s.${id}`, text)
            : buckets.sessions.update(`s.${id}`, text, revision));
          return learn(id, next, written);
        } catch (error) {
          if (tries === mostTries) throw error;
        }
      }
    },
    onState(listener) {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    async revoke(sessionId) {
      onRevocation(token(sessionId), true);
      await withBucket(buckets, () => buckets.sessions.put(`r.${token(sessionId)}`, '1'));
      await buckets.sessions.purge(`s.${token(sessionId)}`);
    },
    revoked: (sessionId) => ended.has(token(sessionId)),
    onRevoked(listener) {
      revokedListeners.add(listener);
      return () => revokedListeners.delete(listener);
    },
    caughtUp: following.caughtUp,
    close() {
      answers.unsubscribe();
      following.close();
      clearInterval(sweep);
      closeLog();
    },
  };
}
