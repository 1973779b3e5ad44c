import {
  type Consumer,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { exitCode, OperatorError } from '../errors.ts';

/** One message of a stream, as it was stored. */
export interface StoredMessage {
  /** Position in the stream. */
  readonly seq: number;
  /** When NATS stored it, epoch milliseconds. */
  readonly storedAt: number;
  readonly data: Uint8Array;
}

export interface ReadOptions {
  /** Epoch milliseconds: from the first message stored then or later. */
  readonly since?: number | undefined;
  /** Only the last messages there are, and what follows. Goes before `since`. */
  readonly last?: number | undefined;
  /** Goes on with what is stored later, until the signal aborts. Without it, reading ends with what was there. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Messages asked for ahead of their reader: memory stays bounded however long the stream is. */
const aheadMessages = 512;
/** A consumer whose reader is gone is forgotten by NATS after this, in milliseconds. */
const inactiveMs = 30_000;

/**
 * Reads a stream in its order with a consumer of its own, which takes nothing from the stream and slows nobody who writes.
 * Throws an OperatorError (exit 4) when there is no such stream.
 */
export async function* readStream(
  nc: NatsConnection,
  stream: string,
  options: ReadOptions = {},
): AsyncIterable<StoredMessage> {
  const { signal, follow = false } = options;
  const end = await lastSeqOf(nc, stream);
  if (!follow && end === 0) return;
  const consumer = await openConsumer(nc, stream, end, options);
  if (!follow && (await consumer.info()).num_pending === 0) return;
  const messages = await consumer.consume({ max_messages: aheadMessages });
  const stop = () => messages.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) return;
    for await (const message of messages) {
      yield { seq: message.seq, storedAt: message.info.timestampNanos / 1e6, data: message.data };
      if (!follow && message.seq >= end) return;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    await messages.close();
    await consumer.delete().catch(() => undefined);
  }
}

function openConsumer(
  nc: NatsConnection,
  stream: string,
  end: number,
  { since, last }: ReadOptions,
): Promise<Consumer> {
  const from =
    last !== undefined
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, end - last + 1) }
      : since !== undefined
        ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(since).toISOString() }
        : { deliver_policy: DeliverPolicy.All };
  return jetstream(nc).consumers.get(stream, { ...from, inactive_threshold: inactiveMs });
}

/** Sequence number of the last message; 0 for an empty stream. */
async function lastSeqOf(nc: NatsConnection, stream: string): Promise<number> {
  const manager = await jetstreamManager(nc, { checkAPI: false });
  try {
    return (await manager.streams.info(stream)).state.last_seq;
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
    throw new OperatorError(exitCode.unreachable, `there is no stream ${stream} on this NATS`, {
      hint: 'the first ingress with auditing makes it; check --nats and nats.tenant',
    });
  }
}
