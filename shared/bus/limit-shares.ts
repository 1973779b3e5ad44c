import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';

/**
 * What ingresses tell each other of the limits that they share: tokens spent since the last word, and calls in flight now. Nobody is
 * asked and nobody answers, but for a newcomer, who is told how things stand. While nothing happens nothing is said.
 */

/** One limit in a report: its key, tokens spent since the last report, calls in flight now. */
export type LimitUse = readonly [key: string, spent: number, inFlight: number];
/** One limit as it stands: its key, tokens missing from its bucket, calls that the teller has in flight. */
export type LimitLevel = readonly [key: string, missing: number, inFlight: number];

export interface LimitSharesListener {
  /** `complete`: what is not named has nothing in flight. */
  onUse(ingress: string, use: readonly LimitUse[], complete: boolean): void;
  /** Somebody came, or came back, and wants to know how things stand. */
  onHello(ingress: string): void;
  onLevels(ingress: string, levels: readonly LimitLevel[]): void;
  /** Another ingress has ended. */
  onBye(ingress: string): void;
  /** The connection to NATS was lost, or is back. */
  onConnection(connected: boolean): void;
}

export interface LimitShares {
  readonly connected: boolean;
  /** To all others. Dropped while NATS is away. */
  tellUse(use: readonly LimitUse[], complete: boolean): void;
  tellLevels(to: string, levels: readonly LimitLevel[]): void;
  /** Asks all others how things stand. */
  hello(): void;
  /** Says goodbye. */
  close(): void;
}

export interface LimitSharesOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly ingress: string;
  readonly log: Logger;
}

/** Limits in one message; more go in several. */
const entriesPerMessage = 2_000;
const maxKeyLength = 512;

export function createLimitShares(
  { nc, subjects, ingress, log }: LimitSharesOptions,
  listener: LimitSharesListener,
): LimitShares {
  const subject = subjects.limits();
  let connected = !nc.isClosed();
  let closed = false;
  const subscription = nc.subscribe(subject, {
    callback: (error, message) => {
      if (error === null) read(message);
    },
  });
  void followConnection();

  async function followConnection(): Promise<void> {
    for await (const status of nc.status()) {
      if (closed) return;
      if (status.type !== 'disconnect' && status.type !== 'reconnect') continue;
      const now = status.type === 'reconnect';
      if (now === connected) continue;
      connected = now;
      listener.onConnection(now);
    }
  }

  function send(message: object): void {
    // What the client would keep until it is connected again would by then be long out of date.
    if (!connected || closed || nc.isClosed()) return;
    try {
      nc.publish(subject, JSON.stringify({ from: ingress, ...message }));
    } catch (error) {
      log.warn({ err: error }, 'cannot tell the other ingresses of limits');
    }
  }

  function read({ data }: Msg): void {
    const message = readJsonObject(data);
    const from = message?.['from'];
    if (message === undefined || typeof from !== 'string' || from === ingress || from === '' || from.length > 64)
      return;
    const { k, to, entries, complete } = message;
    if (k === 'use') listener.onUse(from, readEntries(entries), complete === true);
    else if (k === 'levels' && to === ingress) listener.onLevels(from, readEntries(entries));
    else if (k === 'hello') listener.onHello(from);
    else if (k === 'bye') listener.onBye(from);
  }

  return {
    get connected() {
      return connected;
    },
    tellUse(use, complete) {
      // A complete report says what is not there; in parts the later ones would take back the first.
      if (use.length <= entriesPerMessage) send({ k: 'use', entries: use, complete });
      else for (const part of inParts(use)) send({ k: 'use', entries: part, complete: false });
    },
    tellLevels(to, levels) {
      if (levels.length === 0) send({ k: 'levels', to, entries: [] });
      for (const part of inParts(levels)) send({ k: 'levels', to, entries: part });
    },
    hello: () => send({ k: 'hello' }),
    close() {
      if (closed) return;
      send({ k: 'bye' });
      closed = true;
      subscription.unsubscribe();
    },
  };
}

function* inParts<Entry>(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (let at = 0; at < entries.length; at += entriesPerMessage) yield entries.slice(at, at + entriesPerMessage);
}

/** Entries that are what they should be; others are left out. */
function readEntries(given: unknown): LimitUse[] {
  if (!Array.isArray(given)) return [];
  const entries: LimitUse[] = [];
  for (const entry of given.slice(0, entriesPerMessage)) {
    if (!Array.isArray(entry)) continue;
    const [key, amount, inFlight]: unknown[] = entry;
    if (typeof key !== 'string' || key.length > maxKeyLength || !isAmount(amount) || !isAmount(inFlight)) continue;
    entries.push([key, amount, inFlight]);
  }
  return entries;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1e9;
}
