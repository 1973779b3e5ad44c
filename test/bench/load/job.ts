import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Latencies } from '../statistics.ts';
import type { Endpoint, Work } from './request.ts';

/** How long to run: the first part is not counted. */
export interface Window {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** What the load process can be told to do. */
export type Job =
  /** Every agent sends its next call when the answer to the last one is there. */
  | { readonly kind: 'closed'; readonly agents: number; readonly work: Work; readonly window: Window }
  /** Calls start at a fixed rate, whether or not earlier ones were answered; latency counts from the moment a call was due. */
  | {
      readonly kind: 'open';
      readonly agents: number;
      readonly perSecond: number;
      readonly work: Work;
      readonly window: Window;
    }
  /** One agent lists all tools again and again, following cursors. */
  | { readonly kind: 'list'; readonly tools: number; readonly window: Window }
  /** Agents that send one call each and wait for an answer that does not come. They stay until `release`. */
  | { readonly kind: 'hold'; readonly agents: number; readonly work: Work }
  /** Agents that only initialize. They stay until `release`. */
  | { readonly kind: 'sessions'; readonly agents: number }
  | { readonly kind: 'release' };

export interface Order {
  readonly job: Job;
  readonly endpoint: Endpoint;
  readonly era: Era;
}

export interface Outcome {
  /** Answers counted in the measured window, right or wrong. */
  readonly calls: number;
  readonly wrong: number;
  readonly firstFault: string | undefined;
  readonly seconds: number;
  readonly latency: Latencies;
}

/** What the load process says. `measuring` comes when the warm-up is over, so that CPU can be read at that moment. */
export type Report =
  | { readonly say: 'measuring' }
  | { readonly say: 'done'; readonly outcome: Outcome }
  | { readonly say: 'failed'; readonly message: string };
