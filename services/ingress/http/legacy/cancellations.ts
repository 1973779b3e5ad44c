import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import { noteMessage } from '../../sessions/session-notes.ts';
import type { SessionBus } from '../edge.ts';
import type { InFlight } from './in-flight.ts';

/** Takes `notifications/cancelled` to the request it names, on whichever ingress that runs. */
export interface Cancellations {
  cancel(sessionKey: string, id: RequestId, reason: string | undefined): void;
  close(): void;
}

/** An ingress may not listen yet while the request is young (see InFlight), so it is told again after these milliseconds. */
const repeatsMs = [500, 1_500, 4_000] as const;

export function createCancellations(bus: SessionBus, inFlight: InFlight): Cancellations {
  const repeats = new Set<NodeJS.Timeout>();
  return {
    cancel(sessionKey, requestId, reason) {
      if (inFlight.cancel(sessionKey, requestId, reason ?? 'cancelled by the agent')) return;
      const note = noteMessage({ toolbus: 'cancel', requestId, reason });
      bus.deliver(sessionKey, note);
      for (const ms of repeatsMs) {
        const repeat = setTimeout(() => {
          repeats.delete(repeat);
          bus.deliver(sessionKey, note);
        }, ms).unref();
        repeats.add(repeat);
      }
    },
    close() {
      for (const repeat of repeats) clearTimeout(repeat);
      repeats.clear();
    },
  };
}
