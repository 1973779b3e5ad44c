import type { Logger } from 'pino';
import { GatewayError } from '../../../../shared/errors.ts';
import { createBackoff } from '../backoff.ts';
import { refusalOf } from './refusal-of.ts';

/** An access token for one server. */
export interface Token {
  readonly value: string;
  /** Absent: its issuer does not say. */
  readonly lifetimeMs: number | undefined;
}

/** Gets a new token. `challenge` is what the server said when it refused the last one. */
export type AcquireToken = (challenge: string | undefined) => Promise<Token>;

/** The token of one server, renewed before it ends, so that no call waits for it. */
export interface TokenSource {
  /** Undefined before the first and after an end that could not be prevented. */
  readonly current: string | undefined;
  /** False: the server is asked without a token first, and its refusal says where to get one. */
  readonly needsNoPrompt: boolean;
  /** The current token, or a new one. Rejects with a GatewayError (`no_worker`: nothing was sent). */
  get(): Promise<string>;
  /** A token other than `used`, which the server has refused. Rejects as `get` does, and at once where a new one was just refused too. */
  renew(used: string | undefined, challenge: string | undefined): Promise<string>;
  close(): void;
}

export interface TokenSourceOptions {
  readonly server: string;
  readonly acquire: AcquireToken;
  /** See TokenSource. */
  readonly needsNoPrompt: boolean;
  readonly log: Logger;
}

/** A quarter of the life of a token, but no more than this, is kept in hand. */
const mostInHandMs = 60_000;
/** Where the issuer does not say how long a token lives, one that is refused is replaced. */
const longestTimerMs = 24 * 3_600_000;
/** A server that refuses every token must not make us ask for one with every call. */
const renewalPauseMs = 5_000;

export function createTokenSource({ server, acquire, needsNoPrompt, log }: TokenSourceOptions): TokenSource {
  const backoff = createBackoff({ firstMs: 500, lastMs: 15_000 });
  let token: { readonly value: string; readonly endsAt: number } | undefined;
  let running: Promise<string> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastRenewal = Number.NEGATIVE_INFINITY;
  let closed = false;

  const current = (): string | undefined =>
    token !== undefined && performance.now() < token.endsAt ? token.value : undefined;

  function fetchOne(challenge: string | undefined): Promise<string> {
    running ??= load(challenge).finally(() => {
      running = undefined;
    });
    return running;
  }

  async function load(challenge: string | undefined): Promise<string> {
    try {
      const { value, lifetimeMs } = await acquire(challenge);
      token = { value, endsAt: performance.now() + (lifetimeMs ?? Number.POSITIVE_INFINITY) };
      backoff.reset();
      if (lifetimeMs !== undefined) plan(lifetimeMs - Math.min(lifetimeMs / 4, mostInHandMs));
      return value;
    } catch (error) {
      const why = refusalOf(error);
      log.warn({ server, why }, 'no access token for the upstream server');
      if (current() !== undefined) plan(backoff.next());
      throw new GatewayError('no_worker', `there is no access token for the upstream server: ${why}`, {
        retryAfterMs: 1_000,
      });
    }
  }

  function plan(inMs: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => void fetchOne(undefined).catch(() => undefined), Math.min(inMs, longestTimerMs)).unref();
  }

  return {
    needsNoPrompt,
    get current() {
      return current();
    },
    async get() {
      return current() ?? fetchOne(undefined);
    },
    async renew(used, challenge) {
      const now = current();
      if (now !== undefined && now !== used) return now;
      const at = performance.now();
      if (running === undefined && at - lastRenewal < renewalPauseMs) {
        throw new GatewayError('no_worker', 'the upstream server has refused a new access token', {
          retryAfterMs: renewalPauseMs,
        });
      }
      lastRenewal = at;
      return fetchOne(challenge);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
