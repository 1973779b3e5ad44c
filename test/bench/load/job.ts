import type { Endpoint, Work } from './request.ts';

/** How long to run: the first part is not counted. */
export interface Window {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** A job that is measured. */
export type WindowJob =
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
  | { readonly kind: 'list'; readonly tools: number; readonly window: Window };

/**
 * What the load process can be told to do. The agents of an endpoint stay connected until they are released, so that short windows need
 * not open them again.
 */
export type Job =
  | WindowJob
  /** Opens agents. */
  | { readonly kind: 'connect'; readonly agents: number }
  /** Sends one call per agent and does not wait for the answers. */
  | { readonly kind: 'hold'; readonly agents: number; readonly work: Work }
  /** Waits for the answers to the held calls; one that came before is a fault. */
  | { readonly kind: 'settle' }
  /** Closes all agents of the endpoint. */
  | { readonly kind: 'release' };

export interface Order {
  readonly id: number;
  readonly job: Job;
  readonly endpoint: Endpoint;
}

export interface Outcome {
  /** Answers that came within the measured window, right or wrong. */
  readonly calls: number;
  /** Answers in all, with those of the warm-up and those that came when the window had closed. */
  readonly answered: number;
  readonly wrong: number;
  readonly firstFault: string | undefined;
  /** Length of the measured window. */
  readonly seconds: number;
  /** Milliseconds of each call that began (or was due) within the measured window, however late its answer was. */
  readonly latencies: Float64Array;
}

/** What the load process says to an order, by its id. */
export type Report =
  | { readonly id: number; readonly outcome: Outcome }
  | { readonly id: number; readonly failed: string };
