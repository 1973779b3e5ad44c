import type { CancelSignal } from '../cancellation.ts';
import { GatewayError } from '../errors.ts';
import type { Call, CallNotification, Reply } from '../mcp/call.ts';
import type { Assembly } from './assembly.ts';

/** Why nobody took an offer. Nothing ran and nothing will: the call may be offered elsewhere. */
export type RefusedWhy = 'full' | 'breaker' | 'draining' | 'down' | 'no_responders' | 'no_accept' | 'expired';

export type AttemptOutcome =
  | { readonly kind: 'answered'; readonly reply: Reply }
  | {
      readonly kind: 'refused';
      readonly why: RefusedWhy;
      readonly instance?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    };

export interface AttemptOptions {
  /** Offer to this worker process; absent: to the queue group. */
  readonly instance?: string | undefined;
  /** A worker without a free slot may keep the offer for `busLimits.lineMs` instead of refusing it. */
  readonly mayWait?: boolean | undefined;
  /** So many more calls of the agent wait for a slot of this server. */
  readonly waiting?: number | undefined;
  /** Aborts when the agent no longer wants the answer. */
  readonly signal: CancelSignal;
  onNotification(notification: CallNotification): void;
  /** What must be true before the tool may start (the intent is recorded); runs beside the offer. */
  readonly beforeGo?: Promise<void> | undefined;
  /** The tool is about to be started at this process: from here on it may have run. */
  onGo?(instance: string): void;
}

/** One offer of a call, seen from the ingress: offering → accepted (waits for `beforeGo`) → running → settled. */
export interface Attempt {
  readonly key: string;
  readonly call: Call;
  readonly options: AttemptOptions;
  readonly startedAt: number;
  state: 'offering' | 'accepted' | 'running' | 'settled';
  instance: string;
  /** When the worker must have answered, by the clock of this process. */
  answerBy: number;
  readonly hardCap: number;
  /** The number of the ping that asks about it, because its process did not name it among its running calls; 0: none. */
  asked: number;
  /** The result, while it comes in parts. */
  assembly: Assembly | undefined;
  /** The offer as it was published, and what the worker wants proved: `go` is signed over both. */
  readonly offer: Uint8Array;
  challenge: string;
  /** Params that were too large for the offer. */
  body: Uint8Array;
  onAbort: (() => void) | undefined;
  settle(outcome: AttemptOutcome): void;
  fail(error: unknown): void;
}

export function brokerGone(): GatewayError {
  return new GatewayError('broker_unavailable', 'the message bus is not reachable', { retryAfterMs: 1_000 });
}
