import type { NatsConnection } from '@nats-io/transport-node';
import { GatewayError } from '../errors.ts';
import { createLateness } from '../lateness.ts';
import type { ShortLivedMap } from '../short-lived.ts';
import { type Attempt, brokerGone, type RefusedWhy } from './attempt.ts';
import { busLimits } from './limits.ts';
import type { Peers } from './peers.ts';

export interface AttemptClockOptions {
  readonly nc: NatsConnection;
  readonly attempts: ShortLivedMap<string, Attempt>;
  readonly peers: Peers<Attempt>;
  /** Tells the process to stop what it runs. */
  stop(entry: Attempt): void;
  /** Nobody took the offer in time. */
  abandon(entry: Attempt): void;
  refuse(entry: Attempt, why: RefusedWhy): void;
  fail(entry: Attempt, error: GatewayError): void;
  /** At each look, by `performance.now()`. */
  onSweep(now: number): void;
}

/** Ends attempts whose time is over, or whose connection is gone: one timer for all of them. */
export interface AttemptClock {
  readonly connected: boolean;
  close(): void;
}

/** A look that comes later than this: the process stood still, or had more to do than it can. Milliseconds. */
const lateMs = busLimits.sweepMs;

export function startAttemptClock(options: AttemptClockOptions): AttemptClock {
  const { nc, attempts, peers, fail } = options;
  let disconnectedAt: number | undefined;
  const lateAt = createLateness(busLimits.sweepMs);
  let passedOver = false;
  const timer = setInterval(sweep, busLimits.sweepMs);
  timer.unref();
  void followConnection();

  function sweep(): void {
    const now = performance.now();
    const stall = lateAt(now);
    if (stall > lateMs) {
      // Frames may be waiting unread, so nobody is called silent for it.
      peers.forgive(stall);
      for (const entry of attempts.values()) if (entry.state === 'offering') entry.answerBy += stall;
      // They have been read by the next look, which counts however late it is.
      passedOver = !passedOver;
      if (passedOver) return;
    }
    passedOver = false;
    const lost = disconnectedAt !== undefined && now - disconnectedAt > busLimits.disconnectGraceMs;
    for (const entry of attempts.values()) {
      if (lost && entry.state === 'running') fail(entry, lostWithBus());
      else if (now > entry.answerBy) overdue(entry);
    }
    if (disconnectedAt === undefined) peers.watch(now);
    options.onSweep(now);
  }

  function overdue(entry: Attempt): void {
    if (entry.state === 'offering') {
      options.abandon(entry);
      options.refuse(entry, 'no_accept');
      return;
    }
    options.stop(entry);
    fail(entry, new GatewayError('upstream_timeout', `no answer within ${entry.call.timeoutMs} ms`));
  }

  async function followConnection(): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') onDisconnect();
      else if (status.type === 'reconnect') onReconnect();
    }
  }

  function onDisconnect(): void {
    disconnectedAt ??= performance.now();
    for (const entry of [...attempts.values()]) {
      if (entry.state !== 'running') fail(entry, brokerGone());
    }
  }

  function onReconnect(): void {
    disconnectedAt = undefined;
    peers.forgiveAll();
  }

  return {
    get connected() {
      return disconnectedAt === undefined && !nc.isClosed();
    },
    close: () => clearInterval(timer),
  };
}

function lostWithBus(): GatewayError {
  const message = 'the message bus went away while the tool ran; whether it ran to its end is unknown';
  return new GatewayError('upstream_lost', message);
}
