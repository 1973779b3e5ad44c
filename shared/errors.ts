/** Whether a tool ran. `no` is a promise: it did not run and never will for that call. */
export type Executed = 'no' | 'unknown' | 'yes';

interface ReasonFacts {
  readonly code: number;
  readonly status: number;
  readonly executed: Executed;
}

/** Every error toolbus raises itself, with its JSON-RPC code and HTTP status. The codes lie outside −32768…−32000. */
export const reasons = {
  rate_limited: { code: -31001, status: 429, executed: 'no' },
  overloaded: { code: -31002, status: 503, executed: 'no' },
  audit_unavailable: { code: -31003, status: 503, executed: 'no' },
  no_worker: { code: -31004, status: 503, executed: 'no' },
  circuit_open: { code: -31005, status: 503, executed: 'no' },
  upstream_timeout: { code: -31006, status: 200, executed: 'unknown' },
  upstream_lost: { code: -31007, status: 200, executed: 'unknown' },
  bad_upstream_output: { code: -31008, status: 200, executed: 'unknown' },
  broker_unavailable: { code: -31009, status: 503, executed: 'no' },
  shutting_down: { code: -31010, status: 503, executed: 'no' },
  audit_outcome_lost: { code: -31011, status: 200, executed: 'yes' },
} as const satisfies Record<string, ReasonFacts>;

export type Reason = keyof typeof reasons;

export interface GatewayErrorOptions extends ErrorOptions {
  /** Defaults to what the reason promises. */
  executed?: Executed;
  /** When a retry may succeed, in milliseconds from now. */
  retryAfterMs?: number;
  /** How long the upstream was waited for before this happened, in milliseconds. */
  upstreamMs?: number;
}

/** An error of toolbus' own, from the closed set above. `message` is shown to agents: it names no secret and no host. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly reason: Reason;
  readonly executed: Executed;
  readonly retryAfterMs: number | undefined;
  readonly upstreamMs: number;

  constructor(reason: Reason, message: string, options: GatewayErrorOptions = {}) {
    super(message, options);
    this.reason = reason;
    this.executed = options.executed ?? reasons[reason].executed;
    this.retryAfterMs = options.retryAfterMs;
    this.upstreamMs = options.upstreamMs ?? 0;
  }

  get code(): number {
    return reasons[this.reason].code;
  }

  get status(): number {
    return reasons[this.reason].status;
  }
}

/** Process exit codes of the CLI (CONTRACT §2). */
export const exitCode = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  unauthorized: 3,
  unreachable: 4,
  toolFailed: 5,
  difference: 6,
} as const;

/** A mistake the operator can mend: bad flags, bad config, an unreachable NATS. The CLI prints `message` and exits with `code`. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: number;
  /** What to do next, on a line of its own. */
  readonly hint: string | undefined;

  constructor(code: number, message: string, options: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
  }
}
