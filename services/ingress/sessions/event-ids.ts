import type { FeedPosition } from '../../../shared/bus/resource-events.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { RequestId } from '../../../shared/mcp/json-rpc.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { ListDigests } from './list-digests.ts';

/**
 * Event ids of legacy streams (2025-11-25, basic/transports, "Resumability and Redelivery"). Each names its stream and the place in it, is
 * sealed, and opens only within its session, which in turn belongs to one principal.
 */

/** A stream that answers a POST. */
export interface AnsweringStream {
  readonly id: string;
  /** The ingress that answers. */
  readonly owner: string;
  /** Requests of the POST: each gets its answer on this stream and on no other. */
  readonly requests: readonly RequestId[];
}

/** Where a reader of a stream is. */
export type EventPlace =
  | { readonly kind: 'answering'; readonly stream: AnsweringStream; readonly prefix: string; readonly n: number }
  | { readonly kind: 'standalone'; readonly place: StandalonePlace };

/** Where the reader of a standalone stream is: which updates and which lists it knows of. */
export interface StandalonePlace {
  readonly updates: FeedPosition;
  readonly lists: ListDigests;
}

export interface EventIds {
  /** The part of the ids that all events of the stream share; undefined when it would be too long to be a header. */
  ofStream(sessionKey: string, stream: AnsweringStream): string | undefined;
  /** The id of event `n` of the stream with these ids. */
  nth(prefix: string, n: number): string;
  ofPlace(sessionKey: string, place: StandalonePlace): string;
  /** Undefined for an id that is not ours, was changed, or is of another session. */
  read(sessionKey: string, eventId: string): EventPlace | undefined;
}

const purpose = 'event';
const maxPrefix = 1_500;
const maxId = maxPrefix + 16;
const shape = /^([\w-]+)\.(\d{1,10})$/;

export function createEventIds(sealer: Sealer): EventIds {
  return {
    ofStream(sessionKey, { id, owner, requests }) {
      const prefix = sealer.seal(purpose, { s: id, o: owner, q: [...requests] }, sessionKey);
      return prefix.length <= maxPrefix ? prefix : undefined;
    },
    nth: (prefix, n) => `${prefix}.${n}`,
    ofPlace(sessionKey, { updates, lists }) {
      return `${sealer.seal(purpose, { e: updates.epoch, u: updates.seq, l: { ...lists } }, sessionKey)}.0`;
    },
    read(sessionKey, eventId) {
      if (eventId.length > maxId) return undefined;
      const [, sealed, n] = shape.exec(eventId) ?? [];
      const payload = sealed === undefined ? undefined : sealer.open(purpose, sealed, sessionKey);
      if (sealed === undefined || payload === undefined) return undefined;
      return readStandalone(payload) ?? readAnswering(payload, sealed, Number(n));
    },
  };
}

function readAnswering(payload: JsonObject, prefix: string, n: number): EventPlace | undefined {
  const { s: id, o: owner, q: requests } = payload;
  if (typeof id !== 'string' || typeof owner !== 'string' || !Array.isArray(requests)) return undefined;
  return { kind: 'answering', stream: { id, owner, requests: requests.filter(isRequestId) }, prefix, n };
}

function isRequestId(value: JsonValue): value is RequestId {
  return typeof value === 'string' || typeof value === 'number';
}

function readStandalone({ e: epoch, u: seq, l: lists }: JsonObject): EventPlace | undefined {
  if (typeof epoch !== 'string' || typeof seq !== 'number' || !isJsonObject(lists)) return undefined;
  const { tools, prompts, resources } = lists;
  if (typeof tools !== 'string' || typeof prompts !== 'string' || typeof resources !== 'string') return undefined;
  return { kind: 'standalone', place: { updates: { epoch, seq }, lists: { tools, prompts, resources } } };
}
