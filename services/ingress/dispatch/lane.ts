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
/** An agent for whom a worker was asked is asked for again after this time: the word that a slot is free may be lost, or the worker. */
const askForAgainMs = 1_000;
/**
 * Calls that last longer than this on average do not go ahead to the lines of the workers: what the handshake takes is nothing to them,
 * and a slot may come free elsewhere before the worker's line moves. Milliseconds.
 */
const longCallMs = 100;
/** Weight of the newest call in that average. */
const newest = 0.1;
/** A process that did not answer an offer is left alone for this long. */
const suspectMs = 2_000;

/**
 * What a call may take: a `slot` that is free as far as this ingress knows, a place in the short `line` of a worker whose slots are taken,
 * or one that a worker keeps for it (`instance`). Or it may `ask`: the slots are shared with other ingresses, and the offer makes its
 * agent known to the workers, which give it a turn.
 */
export type Turn =
  | { readonly kind: 'slot' | 'line' | 'ask'; readonly mayWait: boolean; readonly instance?: undefined }
  | { readonly kind: 'kept'; readonly mayWait: false; readonly instance: string };

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
  /** The call found every slot taken by others: it leaves, and from now on the workers say whose turn it is. One that found every line full only leaves. */
  giveWay(agent: string, turn: Turn): void;
  /** A worker keeps a slot for this agent. False when no call of it waits. */
  take(agent: string, instance: string): boolean;
  /** A slot was free after all: this ingress gives out turns by its own count again. */
  open(): void;
  /** Calls of this agent that wait for the workers to say whose turn it is. */
  waitingInTurn(agent: string): number;
  count(instance: string, by: 1 | -1): void;
  /** It was silent: it is left alone for a while. */
  suspect(instance: string): void;
  /** It has answered a call, so it was only late. */
  trust(instance: string): void;
  suspects(): ReadonlySet<string>;
}

interface Waiter {
  readonly agent: string;
  start(turn: Turn): void;
  /** Others have a better right to wait. */
  refuse(): void;
}

const nobody: ReadonlySet<string> = new Set();
const slot: Turn = { kind: 'slot', mayWait: false };
const line: Turn = { kind: 'line', mayWait: true };
const ask: Turn = { kind: 'ask', mayWait: false };
/** Where nobody else waits, the worker takes it into its line. */
const askInLine: Turn = { kind: 'ask', mayWait: true };

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
  /** Runs while slots are shared with other ingresses and calls wait for them. */
  let sharing: NodeJS.Timeout | undefined;
  /** Agents that the workers know to wait, and when to make sure of it. */
  const askedFor = new Map<string, number>();
  let meanMs = Number.POSITIVE_INFINITY;
  let linesFullUntil = 0;

  const isNew = (agent: string) => !askedFor.has(agent);

  function freeTurn(agent: string): Turn | undefined {
    if (sharing !== undefined) return isNew(agent) ? askFor(agent) : undefined;
    const known = instances();
    const slots = capacityOf(known) ?? Number.POSITIVE_INFINITY;
    if (inFlight < slots) return slot;
    return goAhead() && inFlight < slots + linesOf(known) ? line : undefined;
  }

  const goAhead = () => meanMs < longCallMs && performance.now() > linesFullUntil;

  function askFor(agent: string): Turn {
    askedFor.set(agent, performance.now() + askForAgainMs);
    return goAhead() ? askInLine : ask;
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
      const waiter = queue.peek(sharing === undefined ? undefined : isNew);
      const turn = waiter && freeTurn(waiter.agent);
      if (waiter === undefined || turn === undefined) return;
      queue.nextOf(waiter.agent)?.start(turn);
    }
    if (sharing !== undefined) open();
  }

  function open(): void {
    clearTimeout(sharing);
    sharing = undefined;
    askedFor.clear();
    pump();
  }

  /** Nobody may be left waiting for a word that does not come. */
  function askAgain(): void {
    const now = performance.now();
    for (const [agent, until] of askedFor) if (until < now) askedFor.delete(agent);
    const first = queue.peek();
    if (first === undefined) open();
    else {
      askedFor.delete(first.agent);
      sharing = setTimeout(askAgain, askAgainMs);
      pump();
    }
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
      const first = !again && (sharing === undefined ? queue.size === 0 : queue.waitingOf(agent) === 0);
      const turn = first ? freeTurn(agent) : undefined;
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
        if (again) pump();
      });
    },
    leave(agent) {
      ends(agent);
      pump();
    },
    took(ms) {
      meanMs = meanMs === Number.POSITIVE_INFINITY ? ms : meanMs + (ms - meanMs) * newest;
    },
    giveWay(agent, turn) {
      ends(agent);
      if (turn.mayWait) linesFullUntil = performance.now() + askAgainMs;
      if (turn.kind === 'line') return;
      sharing ??= setTimeout(askAgain, askAgainMs);
      askFor(agent);
    },
    take(agent, instance) {
      const waiter = queue.nextOf(agent);
      if (waiter !== undefined && queue.waitingOf(agent) > 0) askFor(agent);
      else askedFor.delete(agent);
      waiter?.start({ kind: 'kept', mayWait: false, instance });
      // Workers that keep slots for this ingress have others to serve.
      if (sharing === undefined && queue.size > 0) {
        sharing = setTimeout(askAgain, askAgainMs);
        pump();
      }
      return waiter !== undefined;
    },
    open,
    waitingInTurn: (agent) => (sharing === undefined ? 0 : queue.waitingOf(agent)),
    count(instance, by) {
      const load = (own.get(instance) ?? 0) + by;
      if (load > 0) own.set(instance, load);
      else own.delete(instance);
    },
    suspect(instance) {
      suspected.set(instance, performance.now() + suspectMs);
    },
    trust(instance) {
      suspected.delete(instance);
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
