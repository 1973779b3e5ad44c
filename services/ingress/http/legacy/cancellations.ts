import type { RequestId } from '../../../../shared/mcp/json-rpc.ts';
import { noteMessage } from '../../sessions/session-notes.ts';
import type { SessionBus } from '../edge.ts';
import { deafMs, type InFlight } from './in-flight.ts';

/** Takes `notifications/cancelled` to the request it names, on whichever ingress that runs. */
export interface Cancellations {
  cancel(sessionKey: string, id: RequestId, reason: string | undefined): void;
  close(): void;
}

export function createCancellations(bus: SessionBus, inFlight: InFlight): Cancellations {
  const repeats = new Set<NodeJS.Timeout>();
  return {
    cancel(sessionKey, requestId, reason) {
      if (inFlight.cancel(sessionKey, requestId, reason ?? 'cancelled by the agent')) return;
      const note = noteMessage({ toolbus: 'cancel', requestId, reason });
      bus.deliver(sessionKey, note);
      // The ingress that runs a request may not listen yet when that is young, so it is told again.
      const repeat = setTimeout(() => {
        repeats.delete(repeat);
        bus.deliver(sessionKey, note);
      }, deafMs).unref();
      repeats.add(repeat);
    },
    close() {
      for (const repeat of repeats) clearTimeout(repeat);
      repeats.clear();
    },
  };
}
