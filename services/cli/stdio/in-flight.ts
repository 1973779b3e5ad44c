import type { RequestId } from '../../../shared/mcp/json-rpc.ts';

/** Requests of the client that are not answered yet. */
export interface InFlight {
  /** `standing`: it is waited for by nobody when the client leaves, such as a subscription. */
  begin(id: RequestId, standing?: boolean): Flight;
  /** The client wants no answer any more; false when no such request runs. */
  cancel(id: RequestId): boolean;
  /** Resolves when everything but standing requests is answered. */
  settled(): Promise<void>;
  /** Aborts all that is left. */
  abort(): void;
}

export interface Flight {
  /** Aborts when the request is cancelled. */
  readonly signal: AbortSignal;
  end(): void;
}

export function createInFlight(): InFlight {
  const flights = new Map<string, { readonly abort: AbortController; readonly standing: boolean }>();
  const waiting = new Set<() => void>();
  const busy = () => [...flights.values()].some(({ standing }) => !standing);
  return {
    begin(id, standing = false) {
      const key = keyOf(id);
      const flight = { abort: new AbortController(), standing };
      flights.set(key, flight);
      return {
        signal: flight.abort.signal,
        end() {
          if (flights.get(key) === flight) flights.delete(key);
          if (busy()) return;
          for (const done of waiting) done();
          waiting.clear();
        },
      };
    },
    cancel(id) {
      const flight = flights.get(keyOf(id));
      flight?.abort.abort();
      return flight !== undefined;
    },
    settled: () => (busy() ? new Promise((resolve) => waiting.add(resolve)) : Promise.resolve()),
    abort() {
      for (const { abort } of flights.values()) abort.abort();
    },
  };
}

/** `1` and `"1"` are two ids. */
function keyOf(id: RequestId): string {
  return JSON.stringify(id);
}
