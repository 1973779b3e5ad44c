import type { JsonObject } from './json.ts';
import type { Era } from './revisions.ts';

/** How long and for whom a modern upstream's list may be cached. */
export interface CacheHint {
  readonly ttlMs: number;
  readonly scope: 'public' | 'private';
}

/** Everything one server offers, in its own names and with every member it sent. Published by its workers. */
export interface Manifest {
  readonly server: string;
  /** SHA-256 over the rest, hex: two workers with the same manifest have the same hash. */
  readonly hash: string;
  /** The eras the upstream can be spoken to in; the first is preferred when the agent's own is not among them. */
  readonly eras: readonly Era[];
  readonly protocolVersion: string;
  readonly serverInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly instructions?: string | undefined;
  readonly tools: readonly JsonObject[];
  readonly prompts: readonly JsonObject[];
  readonly resources: readonly JsonObject[];
  readonly resourceTemplates: readonly JsonObject[];
  readonly cache?: CacheHint | undefined;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

/** What a worker process says of itself every second and at every change; it vanishes 5 s after the last time. */
export interface InstanceStatus {
  readonly server: string;
  /** Unique to the worker process: `[A-Za-z0-9]{10}`. */
  readonly instance: string;
  readonly state: 'starting' | 'ready' | 'failed' | 'draining';
  /** Hash of the manifest it serves; absent before the first discovery. */
  readonly manifest?: string | undefined;
  readonly tools: number;
  readonly concurrency: number;
  readonly inFlight: number;
  readonly breaker: BreakerState;
  /** Milliseconds until an open breaker lets a probe through. */
  readonly retryAfterMs?: number | undefined;
  /** Cleaned of control characters, at most 500 characters; never a secret. */
  readonly lastError?: string | undefined;
  readonly hint?: string | undefined;
  readonly eras: readonly Era[];
  readonly protocolVersion?: string | undefined;
  readonly serverVersion?: string | undefined;
  /** `stdio`, `http` or `sse`. */
  readonly transport: string;
  readonly restarts: number;
  readonly pid: number;
  readonly host: string;
  /** Version of toolbus. */
  readonly version: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
}
