import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { CancelSignal } from '../cancellation.ts';
import type { Call, CallNotification } from '../mcp/call.ts';
import type { JsonObject } from '../mcp/json.ts';
import type { RpcError } from '../mcp/json-rpc.ts';
import type { Subjects } from './subjects.ts';

/** What the worker answers a call with. */
export type CalleeAnswer =
  | {
      readonly kind: 'result';
      readonly resultType: string;
      readonly result: JsonObject;
      /** The JSON text of `result`, as the server wrote it; absent: it is made on the way. Who changes `result` must leave it out. */
      readonly text?: Uint8Array | undefined;
      readonly park?: string | undefined;
    }
  | { readonly kind: 'error'; readonly error: RpcError };

export interface RunContext {
  /** Aborts with a GatewayError (`upstream_timeout`) or with `cancelled` as its reason. */
  readonly signal: CancelSignal;
  onNotification(notification: CallNotification): void;
}

/** Whether one more call may be taken now. */
export type Admission =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly why: 'full' | 'breaker' | 'draining' | 'down';
      readonly retryAfterMs?: number | undefined;
    };

export interface CalleeOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly server: string;
  readonly instance: string;
  readonly log: Logger;
  /** With which calls of this server may be signed. */
  callKeys(): readonly Buffer[];
  /** Offers that may wait for a slot, besides the calls that hold one. Default 0. */
  readonly line?: number | undefined;
  /** Asked for each offer, with the number of calls reserved or running. */
  admit(inFlight: number, call: Call): Admission;
  /** Somebody wanted to start a call without the proof for it. Nothing ran. */
  onUnproven?(call: Call, ingress: string): void;
  /** Gives up a held call. */
  abandon?(park: string): void;
  /** Runs the tool. Rejects with GatewayError. */
  run(call: Call, context: RunContext): Promise<CalleeAnswer>;
}
