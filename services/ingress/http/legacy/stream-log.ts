import { randomBytes } from 'node:crypto';
import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import type { EventIds } from '../../sessions/event-ids.ts';
import type { SessionBus } from '../edge.ts';

/**
 * Remembers what was written to the streams that answer POSTs, so that a reader that lost its connection can go on at any ingress
 * (2025-11-25, basic/transports, "Resumability and Redelivery"). An event id is unique within its session and names its stream.
 */
export interface StreamLog {
  /** A new stream, for these requests of the session; undefined when its events cannot be had again, and so carry no id. */
  open(sessionKey: string, requests: readonly RequestId[]): StreamRecord | undefined;
}

export interface StreamRecord {
  /** Id of the event that primes the reader (SEP-1699). */
  readonly firstId: string;
  /** Called when the reader goes on at another connection: what is written to this one reaches nobody. */
  onTaken: (() => void) | undefined;
  /** Records a message; returns its event id. */
  append(message: string | Uint8Array): string;
  /** Nothing follows. */
  end(): void;
}

/** What the ingress that answers says of a stream. */
export interface StreamStatus {
  /** More may come. */
  readonly open: boolean;
  /** Count of events so far. */
  readonly last: number;
}

interface OpenRecord {
  readonly sessionKey: string;
  last: number;
  readonly record: StreamRecord;
}

/** The streams answered by this ingress, kept on the bus. Small answers that never became a stream are not in it. */
export function createStreamLog(sessions: SessionBus, eventIds: EventIds): StreamLog & { close(): void } {
  const open = new Map<string, OpenRecord>();

  // Readers at other ingresses ask now and then: it is how they notice that this one is gone.
  const stopServing = sessions.serve('streams', sessions.ingress, ({ session, stream }) => {
    const known = typeof stream === 'string' ? open.get(stream) : undefined;
    if (known === undefined || known.sessionKey !== session) return { open: false, last: 0 };
    known.record.onTaken?.();
    return { open: true, last: known.last };
  });

  return {
    open(sessionKey, requests) {
      const id = randomBytes(16).toString('base64url');
      const prefix = eventIds.ofStream(sessionKey, { id, owner: sessions.ingress, requests });
      if (prefix === undefined) return undefined;
      const record: StreamRecord = {
        firstId: eventIds.nth(prefix, 0),
        onTaken: undefined,
        append(message) {
          entry.last += 1;
          sessions.append(sessionKey, id, entry.last, message);
          return eventIds.nth(prefix, entry.last);
        },
        end() {
          if (!open.delete(id)) return;
          record.onTaken = undefined;
          sessions.end(sessionKey, id, entry.last + 1);
        },
      };
      const entry: OpenRecord = { sessionKey, last: 0, record };
      open.set(id, entry);
      return record;
    },
    close: stopServing,
  };
}

/** The answer to the question whether a stream is still open; undefined for anything else. */
export function readStreamStatus(value: unknown): StreamStatus | undefined {
  if (typeof value !== 'object' || value === null || !('open' in value) || !('last' in value)) return undefined;
  const { open, last } = value;
  return typeof open === 'boolean' && typeof last === 'number' ? { open, last } : undefined;
}
