import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';

/**
 * Publishes once per turn of the event loop. The NATS client flushes at the end of each callback, which under load is a system call
 * for each message; waiting for the end of the turn puts what many HTTP requests caused into one write. Where turns have one message each, it goes at
 * once: whoever gets it begins while this process does the rest of its turn. Order is kept.
 */
export interface Outbox {
  /** False for what NATS would refuse: the connection is closed, or the payload larger than its `max_payload`. */
  send(subject: string, payload: Uint8Array, reply?: string): boolean;
  /** Publishes what waits, now. */
  flush(): void;
}

interface Message {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
}

export function createOutbox(nc: NatsConnection, log: Logger): Outbox {
  let waiting: Message[] = [];
  let ofThisTurn = 0;
  let ofLastTurn = 0;

  function publish({ subject, payload, reply }: Message): void {
    try {
      nc.publish(subject, payload, reply === undefined ? undefined : { reply });
    } catch (error) {
      // Closed since: whoever waits for an answer is told by the connection's own end.
      log.warn({ err: error, bytes: payload.length }, 'cannot publish');
    }
  }

  function flush(): void {
    const batch = waiting;
    waiting = [];
    for (const message of batch) publish(message);
  }

  function endTurn(): void {
    ofLastTurn = ofThisTurn;
    ofThisTurn = 0;
    flush();
  }

  return {
    send(subject, payload, reply) {
      if (nc.isClosed() || payload.length > (nc.info?.max_payload ?? Number.POSITIVE_INFINITY)) return false;
      ofThisTurn += 1;
      if (ofThisTurn === 1) setImmediate(endTurn);
      const message = { subject, payload, reply };
      if (ofThisTurn === 1 && ofLastTurn <= 1) publish(message);
      else waiting.push(message);
      return true;
    },
    flush,
  };
}
