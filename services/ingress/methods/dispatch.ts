import type { CancelSignal } from '../../../shared/cancellation.ts';
import type { Call, CallNotification, Reply } from '../../../shared/mcp/call.ts';

export interface DispatchOptions {
  /** Aborts when the agent no longer wants the answer. */
  readonly signal: CancelSignal;
  /** Progress, log messages and the like of the running call, in order, before the answer. */
  onNotification(notification: CallNotification): void;
}

/** Gets a call answered by some worker of its server. Rejects with a GatewayError when none did. */
export type Dispatch = (call: Call, options: DispatchOptions) => Promise<Reply>;
