import { AckPolicy, type Consumer, DeliverPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

export interface DurableConsumerOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  /** NATS remembers under this name what was taken; processes that use the same one share the messages. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** Takes a batch. When it rejects, the same messages come again. */
  take(messages: readonly Uint8Array[]): Promise<void>;
  /** A batch was not taken, or NATS failed. It is tried again, more and more rarely. */
  onFailure(error: unknown): void;
}

const batchMessages = 64;
/** A process that dies with a batch gives it up after this, in milliseconds. */
const ackWaitMs = 60_000;
const firstPauseMs = 500;
const longestPauseMs = 30_000;

/** Hands on every message of a stream at least once, in its order, from its beginning, across restarts. Resolves when the signal aborts. */
export async function consumeDurably(options: DurableConsumerOptions): Promise<void> {
  const { signal, onFailure } = options;
  while (!signal.aborted) {
    try {
      await consume(options);
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
      await pause(firstPauseMs, signal);
    }
  }
}

async function consume(options: DurableConsumerOptions): Promise<void> {
  const { signal } = options;
  const messages = await (await openConsumer(options)).consume({ max_messages: batchMessages });
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  let batch: JsMsg[] = [];
  try {
    for await (const message of messages) {
      batch.push(message);
      // The last there is, for now: a batch does not wait to be full.
      if (batch.length < batchMessages && message.info.pending > 0) continue;
      await takeInTheEnd(batch, options);
      await Promise.all(batch.map((one) => one.ackAck()));
      batch = [];
    }
  } finally {
    signal.removeEventListener('abort', stop);
    for (const message of batch) message.nak();
    await messages.close();
  }
}

/** Tries until the batch is taken: those behind it must not come before it. Rejects when the signal aborts. */
async function takeInTheEnd(
  batch: readonly JsMsg[],
  { signal, take, onFailure }: DurableConsumerOptions,
): Promise<void> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      await take(batch.map(({ data }) => data));
      return;
    } catch (error) {
      onFailure(error);
      await pause(pauseMs, signal);
      signal.throwIfAborted();
      // NATS would think that this process is gone.
      for (const message of batch) message.working();
    }
  }
}

async function openConsumer({ nc, stream, name }: DurableConsumerOptions): Promise<Consumer> {
  const manager = await jetstreamManager(nc, { checkAPI: false });
  await manager.consumers.add(stream, {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ackWaitMs * 1_000_000,
    max_ack_pending: batchMessages * 4,
  });
  return jetstream(nc).consumers.get(stream, name);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
