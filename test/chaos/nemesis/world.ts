import type { Verdicts } from './oracle.ts';
import type { Random } from './random.ts';

/** What every agent of a run shares. */
export interface World {
  readonly mcp: string;
  readonly verdicts: Verdicts;
  /** Aborts when agents shall make no more calls; what they have begun they end. */
  readonly enough: AbortSignal;
  /** Aborts when they let go of their streams. */
  readonly over: AbortSignal;
  /** Milliseconds that an agent thinks between two calls, at least and at most. */
  readonly thinkMs: readonly [number, number];
}

export interface AgentOptions {
  readonly name: string;
  readonly key: string;
  readonly note: string;
  readonly random: Random;
}

/** No call takes longer than this, whatever dies. */
export const callWithinMs = 90_000;
