import type { CancelSignal } from '../../../shared/cancellation.ts';
import type { Call, CallNotification, Reply } from '../../../shared/mcp/call.ts';

export interface DispatchOptions {
  /** Aborts when the agent no longer wants the answer. */
  readonly signal: CancelSignal;
  /** Progress, log messages and the like of the running call, in order, before the answer. */
  onNotification(notification: CallNotification): void;
  /** Must resolve before the tool may start; a rejection is how the call ends. */
  readonly beforeGo?: Promise<void> | undefined;
  /** The tool is about to be started there. */
  onGo?(instance: string): void;
}

/** Gets a call answered by some worker of its server. Rejects with a GatewayError when none did. */
export type Dispatch = (call: Call, options: DispatchOptions) => Promise<Reply>;
