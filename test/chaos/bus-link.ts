import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Broker, startBroker } from './broker.ts';
import { openTcpLink } from './tcp-link.ts';

/** A nats-server at the end of a link of its own. */
export interface LinkedBroker extends Broker {
  /** What one direction does to each piece of bytes. Connections that stand already are slowed as well. */
  slow(link: { readonly delayMs: number; readonly bytesPerSecond: number }): void;
  /** Nothing passes any more, and nobody is told. */
  block(): void;
  /** What waited passes, and all that comes. */
  heal(): void;
}

export async function startLinkedBroker(): Promise<LinkedBroker> {
  const broker = await startBroker();
  let delayMs = 0;
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  let unblocked = Promise.resolve();
  let unblock = () => {};

  /** Bytes are under way for `delayMs`, and leave one after another. */
  function carry(from: Socket, to: Socket): void {
    let sent = Promise.resolve();
    from.on('data', (bytes: Buffer) => {
      const arrivesAt = performance.now() + delayMs;
      sent = sent.then(async () => {
        await delay(Math.max(0, arrivesAt - performance.now()) + (bytes.length / bytesPerSecond) * 1_000);
        await unblocked;
        if (!to.destroyed) to.write(bytes);
      });
    });
    from.on('close', () => void sent.then(() => to.destroy()));
  }

  const link = await openTcpLink(Number(new URL(broker.url).port), (near, far) => {
    carry(near, far);
    carry(far, near);
  });

  return {
    ...broker,
    url: `nats://127.0.0.1:${link.port}`,
    slow(how) {
      ({ delayMs, bytesPerSecond } = how);
    },
    block() {
      unblocked = new Promise((resolve) => {
        unblock = resolve;
      });
    },
    heal: () => unblock(),
    async [Symbol.asyncDispose]() {
      unblock();
      await link[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}
