import CircuitBreaker from 'opossum';
import type { ServerConfig } from '../../shared/config/schema.ts';
import { GatewayError, type Reason } from '../../shared/errors.ts';
import type { BreakerState } from '../../shared/mcp/manifest.ts';

/** Reasons that say something about the upstream's health. Protocol errors, `isError` results and our own refusals do not. */
const failures: ReadonlySet<Reason> = new Set([
  'upstream_timeout',
  'upstream_lost',
  'bad_upstream_output',
  'no_worker',
]);

/** The circuit breaker around one upstream. */
export interface Breaker {
  readonly state: BreakerState;
  /** Milliseconds until an open breaker lets a probe through; 0 when it is not open. */
  readonly retryAfterMs: number;
  /** Runs the action and counts how it ends. Rejects with `circuit_open` without running it while open. */
  run<T>(action: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * opossum, used for its rolling window and its three states and for nothing else: its timeout, abort controller, semaphore, cache and
 * percentiles stay off, because they belong to the breaker and not to the call (one slow call would abort its neighbours, a full
 * semaphore would count as a failure, each failure would sort every latency of the window).
 */
export function createBreaker(config: ServerConfig['breaker'], onChange: (state: BreakerState) => void): Breaker {
  const breaker = new CircuitBreaker((action: () => Promise<unknown>) => action(), {
    timeout: false,
    errorThresholdPercentage: config.errorPercent,
    volumeThreshold: config.minCalls,
    rollingCountTimeout: config.windowMs,
    rollingCountBuckets: 10,
    resetTimeout: config.resetMs,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    // True means success, and success closes a half-open breaker: a probe that was cancelled or refused proves nothing.
    errorFilter: (error: unknown) => !probing && !(error instanceof GatewayError && failures.has(error.reason)),
  });
  let openedAt = 0;
  let probing = false;
  breaker.on('open', () => {
    probing = false;
    openedAt = performance.now();
    onChange('open');
  });
  breaker.on('halfOpen', () => {
    probing = true;
    onChange('half_open');
  });
  breaker.on('close', () => {
    probing = false;
    onChange('closed');
  });

  const retryAfterMs = () =>
    breaker.opened ? Math.max(1, Math.round(config.resetMs - (performance.now() - openedAt))) : 0;

  return {
    get state() {
      if (breaker.opened) return 'open';
      return breaker.halfOpen ? 'half_open' : 'closed';
    },
    get retryAfterMs() {
      return retryAfterMs();
    },
    async run<T>(action: () => Promise<T>): Promise<T> {
      if (breaker.opened) throw openError(retryAfterMs());
      let started = false;
      let result: { value: T } | undefined;
      try {
        await breaker.fire(async () => {
          started = true;
          result = { value: await action() };
        });
      } catch (error) {
        // While a probe is under way opossum refuses every other call with an error of its own.
        throw started ? error : openError(config.resetMs);
      }
      if (result === undefined) throw openError(retryAfterMs());
      return result.value;
    },
    close() {
      breaker.shutdown();
    },
  };
}

function openError(retryAfterMs: number): GatewayError {
  return new GatewayError('circuit_open', 'the circuit breaker of this server is open', { retryAfterMs });
}
