import type { CancelSignal } from '../../../shared/cancellation.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { capacityOf, linesOf } from './balance.ts';
import { createWaitQueue } from './wait-queue.ts';

/** Waiting calls of one server in this ingress; more are refused as overloaded. */
const maxWaiting = 2_000;
/** So many may be of one agent: its calls in flight everywhere are then still far from what all agents together may have. */
const maxWaitingPerAgent = maxWaiting / 2;
/** A server whose slots are all taken by other ingresses is asked again after this time, if no worker says `free` before. */
const askAgainMs = 100;
/**
 * Calls that last longer than this on average do not go ahead to the lines of the workers: what the handshake takes is nothing to them,
 * and a slot may come free elsewhere before the worker's line moves. Milliseconds.
 */
const longCallMs = 100;
/** Weight of the newest call in that average. */
const newest = 0.1;
/** A process that did not answer an offer is left alone for this long. */
const suspectMs = 2_000;

/** What a call may take: a slot that is free as far as this ingress knows, or a place in the short line of a worker whose slots are taken. */
export type Turn = 'slot' | 'line';

/** The way to one server: how many calls this ingress has on it, who waits, and which processes to leave alone. */
export interface Lane {
  /** Calls on their way, by worker process. */
  readonly own: ReadonlyMap<string, number>;
  readonly inFlight: number;
  readonly waiting: number;
  /** Resolves when it is this call's turn, by `performance.now()` until `waitUntil`. Rejects with `overloaded`, or with the signal's reason. `again`: it had its turn and found every slot taken. */
  enter(agent: string, signal: CancelSignal, waitUntil: number, again: boolean): Promise<Turn>;
  /** The call has ended. */
  leave(agent: string): void;
  /** A server answered a call after so many milliseconds. */
  took(ms: number): void;
  /** The call found every slot taken by others: it leaves, and it is nobody's turn until a slot is free. One that found every line full only leaves. */
  giveWay(agent: string, turn: Turn): void;
  /** A slot is free. */
  unblock(): void;
  count(instance: string, by: 1 | -1): void;
  suspect(instance: string): void;
  suspects(): ReadonlySet<string>;
}

interface Waiter {
  readonly agent: string;
  start(turn: Turn): void;
  /** Others have a better right to wait. */
  refuse(): void;
}

const nobody: ReadonlySet<string> = new Set();

export function createLane(instances: () => readonly InstanceStatus[]): Lane {
  const byAgent = new Map<string, number>();
  const queue = createWaitQueue<Waiter>({
    capacity: maxWaiting,
    perAgent: maxWaitingPerAgent,
    inFlight: (agent) => byAgent.get(agent) ?? 0,
    onPushedOut: (waiter) => waiter.refuse(),
  });
  const own = new Map<string, number>();
  const suspected = new Map<string, number>();
  let inFlight = 0;
  let blockedTimer: NodeJS.Timeout | undefined;
  let meanMs = Number.POSITIVE_INFINITY;
  let linesFullUntil = 0;

  function freeTurn(): Turn | undefined {
    if (blockedTimer !== undefined) return undefined;
    const known = instances();
    const slots = capacityOf(known) ?? Number.POSITIVE_INFINITY;
    if (inFlight < slots) return 'slot';
    const goesAhead = meanMs < longCallMs && performance.now() > linesFullUntil;
    return goesAhead && inFlight < slots + linesOf(known) ? 'line' : undefined;
  }

  function starts(agent: string): void {
    inFlight += 1;
    byAgent.set(agent, (byAgent.get(agent) ?? 0) + 1);
  }

  function ends(agent: string): void {
    inFlight -= 1;
    const left = (byAgent.get(agent) ?? 0) - 1;
    if (left > 0) byAgent.set(agent, left);
    else byAgent.delete(agent);
  }

  function pump(): void {
    while (queue.size > 0) {
      const turn = freeTurn();
      if (turn === undefined) return;
      queue.next()?.start(turn);
    }
  }

  function unblock(): void {
    clearTimeout(blockedTimer);
    blockedTimer = undefined;
    pump();
  }

  return {
    own,
    get inFlight() {
      return inFlight;
    },
    get waiting() {
      return queue.size;
    },
    enter(agent, signal, waitUntil, again) {
      const turn = queue.size === 0 ? freeTurn() : undefined;
      if (turn !== undefined) {
        starts(agent);
        return Promise.resolve(turn);
      }
      return new Promise((resolve, reject) => {
        const stopWaiting = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const waiter: Waiter = {
          agent,
          start(given) {
            stopWaiting();
            starts(agent);
            resolve(given);
          },
          refuse() {
            stopWaiting();
            reject(overloaded());
          },
        };
        const giveUp = (reason: unknown) => {
          stopWaiting();
          if (queue.remove(agent, waiter)) reject(reason);
        };
        const onAbort = () => giveUp(signal.reason);
        const timer = setTimeout(() => giveUp(overloaded()), Math.max(0, waitUntil - performance.now()));
        signal.addEventListener('abort', onAbort, { once: true });
        if (again) queue.putBack(agent, waiter);
        else if (!queue.push(agent, waiter)) waiter.refuse();
      });
    },
    leave(agent) {
      ends(agent);
      if (blockedTimer === undefined) pump();
      else unblock();
    },
    took(ms) {
      meanMs = meanMs === Number.POSITIVE_INFINITY ? ms : meanMs + (ms - meanMs) * newest;
    },
    giveWay(agent, turn) {
      ends(agent);
      if (turn === 'line') linesFullUntil = performance.now() + askAgainMs;
      else blockedTimer ??= setTimeout(unblock, askAgainMs);
    },
    unblock,
    count(instance, by) {
      const load = (own.get(instance) ?? 0) + by;
      if (load > 0) own.set(instance, load);
      else own.delete(instance);
    },
    suspect(instance) {
      suspected.set(instance, performance.now() + suspectMs);
    },
    suspects() {
      if (suspected.size === 0) return nobody;
      const now = performance.now();
      for (const [instance, until] of suspected) if (now > until) suspected.delete(instance);
      return new Set(suspected.keys());
    },
  };
}

function overloaded(): GatewayError {
  return new GatewayError('overloaded', 'every worker of this server is busy and too many calls are waiting', {
    retryAfterMs: 1_000,
  });
}
