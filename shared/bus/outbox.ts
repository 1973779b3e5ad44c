import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';

/**
 * Publishes once per turn of the event loop. The NATS client flushes at the end of each callback, which under load is a system call
 * for each message; waiting for the end of the turn puts what many HTTP requests caused into one write. Order is kept.
 */
export interface Outbox {
  /** False for what NATS would refuse: the connection is closed, or the payload larger than its `max_payload`. */
  send(subject: string, payload: Uint8Array, reply?: string): boolean;
  /** Publishes what waits, now. */
  flush(): void;
}

interface Waiting {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
}

export function createOutbox(nc: NatsConnection, log: Logger): Outbox {
  let waiting: Waiting[] = [];

  function flush(): void {
    const batch = waiting;
    waiting = [];
    for (const { subject, payload, reply } of batch) {
      try {
        nc.publish(subject, payload, reply === undefined ? undefined : { reply });
      } catch (error) {
        // Closed since: whoever waits for an answer is told by the connection's own end.
        log.warn({ err: error, bytes: payload.length }, 'cannot publish');
      }
    }
  }

  return {
    send(subject, payload, reply) {
      if (nc.isClosed() || payload.length > (nc.info?.max_payload ?? Number.POSITIVE_INFINITY)) return false;
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ subject, payload, reply });
      return true;
    },
    flush,
  };
}
