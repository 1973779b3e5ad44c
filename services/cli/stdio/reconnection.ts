const defaultRetryMs = 500;
const longestRetryMs = 5_000;

/** Where an event stream goes on, and when. */
export interface Reconnection {
  /** Undefined: the stream as it is from now on. */
  lastId: string | undefined;
  /** Milliseconds before the next attempt. */
  retryMs: number;
  onEventId(id: string): void;
  /** The server says how long to wait, in milliseconds; more than 5 s is not waited. */
  onRetry(retryMs: number): void;
  /** The next attempt waits as usual. */
  soon(): void;
  /** The next attempt waits as long as any. */
  late(): void;
}

export function createReconnection(): Reconnection {
  const state: Reconnection = {
    lastId: undefined,
    retryMs: defaultRetryMs,
    onEventId(id) {
      state.lastId = id;
    },
    onRetry(retryMs) {
      state.retryMs = Math.min(retryMs, longestRetryMs);
    },
    soon() {
      state.retryMs = defaultRetryMs;
    },
    late() {
      state.retryMs = longestRetryMs;
    },
  };
  return state;
}
