import { createInbox, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { ShortLivedMap } from '../short-lived.ts';
import { readJsonObject } from './json-bytes.ts';

/** What JetStream said to a published message. */
export type PublishAck =
  | { readonly kind: 'stored'; readonly seq: number; readonly duplicate: boolean }
  /** It said no: the message is not stored and will not be. `code` is JetStream's `err_code`. */
  | { readonly kind: 'refused'; readonly code: number; readonly description: string }
  /** No stream takes this subject. */
  | { readonly kind: 'no_stream' };

export interface PublishOptions {
  /** JetStream stores a message once per id within its duplicate window. */
  readonly id: string;
  /** Refused when the last message of the stream is another one. */
  readonly expectLastSeq?: number;
}

/**
 * Publishes to streams and hears of each acknowledgement, however late it comes. There is no time limit here and no retry: silence
 * says nothing about what was stored.
 */
export interface AuditPublisher {
  /** Returns what forgets the acknowledgement. Undefined when nothing was sent: no connection, or the message is too large. */
  publish(
    subject: string,
    data: string | Uint8Array,
    options: PublishOptions,
    onAck: (ack: PublishAck) => void,
  ): (() => void) | undefined;
  readonly connected: boolean;
  /** Bytes that one message may have. */
  readonly maxPayload: number;
  onConnection(listener: (connected: boolean) => void): void;
  close(): void;
}

const noResponders = 503;
const wrongLastSequence = 10_071;

export const publishRefusal = { wrongLastSequence } as const;

export function createAuditPublisher(nc: NatsConnection, inboxPrefix?: string): AuditPublisher {
  const inbox = createInbox(inboxPrefix);
  const waiting = new ShortLivedMap<string, (ack: PublishAck) => void>();
  const listeners = new Set<(connected: boolean) => void>();
  let counter = 0;
  let connected = true;
  const subscription = nc.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error !== null) return;
      const key = message.subject.slice(inbox.length + 1);
      const onAck = waiting.get(key);
      if (onAck === undefined) return;
      waiting.delete(key);
      onAck(readAck(message));
    },
  });
  void (async () => {
    for await (const { type } of nc.status()) {
      if (type !== 'disconnect' && type !== 'reconnect') continue;
      connected = type === 'reconnect';
      for (const listener of listeners) listener(connected);
    }
  })();

  return {
    publish(subject, data, { id, expectLastSeq }, onAck) {
      if (!connected || nc.isClosed()) return undefined;
      counter += 1;
      const key = counter.toString(36);
      const head = headers();
      head.set('Nats-Msg-Id', id);
      if (expectLastSeq !== undefined) head.set('Nats-Expected-Last-Sequence', String(expectLastSeq));
      try {
        nc.publish(subject, data, { reply: `${inbox}.${key}`, headers: head });
      } catch {
        return undefined;
      }
      waiting.set(key, onAck);
      return () => void waiting.delete(key);
    },
    get connected() {
      return connected && !nc.isClosed();
    },
    get maxPayload() {
      return nc.info?.max_payload ?? 1_048_576;
    },
    onConnection: (listener) => void listeners.add(listener),
    close() {
      subscription.unsubscribe();
      listeners.clear();
      waiting.clear();
    },
  };
}

function readAck(message: Msg): PublishAck {
  if (message.data.length === 0 && message.headers?.code === noResponders) return { kind: 'no_stream' };
  const answer = readJsonObject(message.data);
  const error = answer?.['error'];
  if (typeof error === 'object' && error !== null && !Array.isArray(error)) {
    const { err_code: code, description } = error;
    return {
      kind: 'refused',
      code: typeof code === 'number' ? code : 0,
      description: typeof description === 'string' ? description : 'JetStream refused it',
    };
  }
  const seq = answer?.['seq'];
  if (typeof seq !== 'number') return { kind: 'refused', code: 0, description: 'JetStream answered with no sequence' };
  return { kind: 'stored', seq, duplicate: answer?.['duplicate'] === true };
}
