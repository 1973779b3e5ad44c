import type { CancelSignal } from '../../../shared/cancellation.ts';
import { GatewayError } from '../../../shared/errors.ts';

/** What a call rejects with when its signal aborts: the signal's own reason where that is ours. */
export function abortError(signal: CancelSignal, executed: 'no' | 'unknown'): GatewayError {
  if (signal.reason instanceof GatewayError) return signal.reason;
  return new GatewayError('upstream_timeout', 'the call was given up', { executed, cause: signal.reason });
}
