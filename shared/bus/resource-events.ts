import { DeliverPolicy, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';
import { createVolatileStream, type StreamState, volatileName } from './volatile-stream.ts';

/**
 * `notifications/resources/updated` from all workers, in one order for all ingresses: each keeps the last minutes in memory, so that
 * an agent that lost its stream hears at another ingress exactly what it has missed.
 */

/** A place in that order. Positions of different epochs cannot be compared. */
export interface FeedPosition {
  readonly epoch: string;
  readonly seq: number;
}

export interface ResourceUpdate {
  readonly server: string;
  /** As the server sent them. */
  readonly params: JsonObject;
  readonly at: FeedPosition;
}

export interface ResourceEvents {
  onUpdated(listener: (update: ResourceUpdate) => void): () => void;
  /** After the newest update that listeners were told. */
  position(): FeedPosition;
  /** Updates after that position, oldest first; undefined when they are not all known. */
  since(position: FeedPosition): readonly ResourceUpdate[] | undefined;
  /** Resolves when what the stream held at the start is known. */
  readonly caughtUp: Promise<void>;
  close(): void;
}

export interface ResourceEventsOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly tenant: string;
  readonly log: Logger;
}

export const updatedEvent = 'resource_updated';

/** Each worker of a server that they share tells of a change; what another one tells within this time of the stream's clock is the same. */
const sameUpdateMs = 500;
const maxStreamBytes = 8 * 1024 * 1024;
const maxRemembered = 5_000;
const maxRememberedBytes = 8 * 1024 * 1024;
const retryMs = 500;

export function createResourceEvents({ nc, subjects, tenant, log }: ResourceEventsOptions): ResourceEvents {
  const stored = createVolatileStream({
    nc,
    log,
    name: volatileName(tenant, 'events'),
    subjects: [subjects.events(updatedEvent)],
    maxBytes: maxStreamBytes,
  });
  const listeners = new Set<(update: ResourceUpdate) => void>();
  const lastTold = new Map<string, { instance: string; at: number }>();
  let remembered: { readonly update: ResourceUpdate; readonly bytes: number }[] = [];
  let rememberedBytes = 0;
  /** Every update after this sequence number is remembered. */
  let knownAfter = Number.POSITIVE_INFINITY;
  let epoch = '';
  let seq = 0;
  let closed = false;
  let stop: (() => void) | undefined;
  let ready = () => {};
  const caughtUp = new Promise<void>((resolve) => {
    ready = resolve;
  });

  function begin(state: StreamState): void {
    if (state.epoch === epoch) return;
    epoch = state.epoch;
    remembered = [];
    rememberedBytes = 0;
    seq = Math.max(0, state.firstSeq - 1);
    knownAfter = seq;
  }

  function take(message: JsMsg): void {
    if (message.seq <= seq) return;
    seq = message.seq;
    const update = readUpdate(message.data, { epoch, seq });
    // A worker may publish under the name of its own server only; what it writes in the message is not checked by NATS.
    if (update === undefined || message.subject !== subjects.event(update.server, updatedEvent)) return;
    if (isRepeat(update, message.time.getTime())) return;
    remember({ server: update.server, params: update.params, at: update.at }, message.data.length);
  }

  function remember(update: ResourceUpdate, bytes: number): void {
    remembered.push({ update, bytes });
    rememberedBytes += bytes;
    while (remembered.length > maxRemembered || rememberedBytes > maxRememberedBytes) {
      const oldest = remembered.shift();
      if (oldest === undefined) break;
      rememberedBytes -= oldest.bytes;
      knownAfter = oldest.update.at.seq;
    }
    for (const listener of [...listeners]) listener(update);
  }

  /** By the clock of the stream and not of this process, so that every ingress decides alike. */
  function isRepeat({ server, instance, params }: ReadUpdate, at: number): boolean {
    const key = `${server}\n${String(params['uri'])}`;
    const last = lastTold.get(key);
    if (last !== undefined && last.instance !== instance && at - last.at < sameUpdateMs) return true;
    if (lastTold.size > maxRemembered) lastTold.clear();
    lastTold.set(key, { instance, at });
    return false;
  }

  async function run(): Promise<void> {
    while (!closed) {
      try {
        const state = await stored.ensure();
        begin(state);
        const { lastSeq } = state;
        if (seq >= lastSeq) ready();
        const consumers = (await stored.manager()).jetstream().consumers;
        const consumer = await consumers.get(stored.name, {
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: seq + 1,
        });
        const messages = await consumer.consume({ max_messages: 256, abort_on_missing_resource: true });
        stop = () => messages.stop();
        if (closed) return stop();
        for await (const message of messages) {
          take(message);
          if (seq >= lastSeq) ready();
        }
      } catch (error) {
        if (closed) return;
        log.warn({ err: error }, 'cannot follow resource updates; trying again');
      }
      if (!closed) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
  // A NATS that was away may have lost the stream, and begun another one that counts from 1.
  stored.onReconnect(() => stop?.());
  void run();

  return {
    onUpdated(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    position: () => ({ epoch, seq }),
    since(position) {
      if (position.epoch !== epoch || position.seq < knownAfter) return undefined;
      return remembered.filter(({ update }) => update.at.seq > position.seq).map(({ update }) => update);
    },
    caughtUp,
    close() {
      closed = true;
      stored.close();
      stop?.();
    },
  };
}

interface ReadUpdate extends ResourceUpdate {
  readonly instance: string;
}

function readUpdate(data: Uint8Array, at: FeedPosition): ReadUpdate | undefined {
  const { server, instance, params } = readJsonObject(data) ?? {};
  if (typeof server !== 'string' || typeof instance !== 'string' || !isJsonObject(params)) return undefined;
  return typeof params['uri'] === 'string' ? { server, instance, params, at } : undefined;
}
