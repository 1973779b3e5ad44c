import type { CancelSignal } from '../cancellation.ts';
import { GatewayError } from '../errors.ts';
import type { CalleeAnswer } from './callee-options.ts';
import type { Frame } from './frames.ts';
import { busLimits } from './limits.ts';

/** How many parts may still be sent before the ingress must ask for more: a slow ingress never makes a worker's memory grow. */
export interface Credit {
  add(parts: number): void;
  readonly has: boolean;
  /** Takes one that is there. */
  spend(): void;
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
    get has() {
      return left > 0;
    },
    spend() {
      left -= 1;
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

type Send = (frame: Frame, body: Uint8Array | string) => void;

/** What sending needs to know of the call. */
interface Receiver {
  readonly credit: Credit;
  readonly abort: { readonly signal: CancelSignal };
}

/** A UTF-16 unit takes at most three bytes of UTF-8. */
const surelyInline = Math.floor(busLimits.inlineBytes / 3);

/** Sends a result; a large one in parts, and then resolves when the last has been sent, or when the call was cancelled meanwhile. */
export function sendResult(
  answer: Extract<CalleeAnswer, { kind: 'result' }>,
  upstreamMs: number,
  receiver: Receiver,
  send: Send,
): Promise<void> | undefined {
  const { resultType, result, park } = answer;
  const isError = result['isError'] === true ? true : undefined;
  const head: Frame = { k: 'result', resultType, isError, park, upstreamMs };
  const text = answer.text ?? JSON.stringify(result);
  if (typeof text === 'string' && text.length <= surelyInline) {
    send(head, text);
    return undefined;
  }
  const body = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  if (body.length > busLimits.inlineBytes) return sendInParts(body, head, receiver, send);
  send(head, body);
  return undefined;
}

async function sendInParts(body: Uint8Array, head: Frame, { credit, abort }: Receiver, send: Send): Promise<void> {
  if (body.length > busLimits.maxBodyBytes) {
    const error = new GatewayError('bad_upstream_output', 'the result is too large', { executed: 'yes' });
    send(failureFrame(error, 0), '');
    return;
  }
  let at = 0;
  while (body.length - at > busLimits.partBytes) {
    // Nothing is awaited while there is credit: what is sent in one turn leaves in one write.
    if (!credit.has) await credit.take(abort.signal);
    else credit.spend();
    if (abort.signal.aborted) return;
    send(at === 0 ? { k: 'chunk', of: body.length } : { k: 'chunk' }, body.subarray(at, at + busLimits.partBytes));
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
