import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { noteMessage, readTaken } from '../../sessions/session-notes.ts';
import type { SessionBus } from '../edge.ts';

/** A POST and what of it the holder of the stream needs. */
export interface RelayedPost {
  readonly body: JsonObject | JsonObject[];
  readonly clientAddress: string;
  readonly headers: Record<string, string>;
}

/** Hands a POST of HTTP+SSE to the ingress that holds the stream. */
export interface Relay {
  /** False when no ingress says within two seconds that it holds the stream. */
  forward(sessionKey: string, post: RelayedPost): Promise<boolean>;
  close(): void;
}

const takenWithinMs = 2_000;

export function createRelay(bus: SessionBus): Relay {
  const waiting = new Map<number, { sessionKey: string; settle: (taken: boolean) => void }>();
  let forwarded = 0;

  const stopListening = bus.onAnswer((sessionKey, message) => {
    const note = readTaken(message);
    const post = note && waiting.get(note.n);
    if (post?.sessionKey === sessionKey) post.settle(true);
  });

  return {
    forward(sessionKey, post) {
      forwarded += 1;
      const n = forwarded;
      return new Promise((resolve) => {
        const settle = (taken: boolean) => {
          clearTimeout(timer);
          waiting.delete(n);
          resolve(taken);
        };
        const timer = setTimeout(() => settle(false), takenWithinMs);
        waiting.set(n, { sessionKey, settle });
        bus.deliver(sessionKey, noteMessage({ toolbus: 'post', from: bus.ingress, n, ...post }));
      });
    },
    close() {
      stopListening();
      for (const { settle } of [...waiting.values()]) settle(false);
    },
  };
}
