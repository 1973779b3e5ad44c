import type { CancelSignal } from '../cancellation.ts';
import { GatewayError } from '../errors.ts';
import type { Frame } from './frames.ts';
import { busLimits } from './limits.ts';

/** How many parts may still be sent before the ingress must ask for more: a slow ingress never makes a worker's memory grow. */
export interface Credit {
  add(parts: number): void;
  /** Takes one; waits where there is none. Resolves at once when the signal aborts. */
  take(signal: CancelSignal): Promise<void>;
}

export function createCredit(initial: number): Credit {
  let left = initial;
  let wake: (() => void) | undefined;
  return {
    add(parts) {
      left += parts;
      wake?.();
    },
    async take(signal) {
      while (left === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = () => {
            signal.removeEventListener('abort', resolveNow);
            resolve();
          };
          const resolveNow = () => resolve();
          signal.addEventListener('abort', resolveNow, { once: true });
        });
        wake = undefined;
      }
      left -= 1;
    },
  };
}

/** Sends a large result as `chunk` frames and a last one with the head; stops where the call was cancelled meanwhile. */
export async function sendInParts(
  body: Uint8Array,
  head: Frame,
  credit: Credit,
  signal: CancelSignal,
  send: (frame: Frame, body: Uint8Array) => void,
): Promise<void> {
  if (body.length > busLimits.maxBodyBytes) {
    const error = new GatewayError('bad_upstream_output', 'the result is too large', { executed: 'yes' });
    send(failureFrame(error, 0), new Uint8Array(0));
    return;
  }
  let at = 0;
  while (body.length - at > busLimits.inlineBytes) {
    await credit.take(signal);
    if (signal.aborted) return;
    send({ k: 'chunk' }, body.subarray(at, at + busLimits.partBytes));
    at += busLimits.partBytes;
  }
  send(head, body.subarray(at));
}

/** An error of toolbus' own as the frame that carries it. */
export function failureFrame(error: GatewayError, upstreamMs: number): Frame {
  return {
    k: 'failed',
    reason: error.reason,
    message: error.message,
    executed: error.executed,
    retryAfterMs: error.retryAfterMs,
    upstreamMs,
  };
}
