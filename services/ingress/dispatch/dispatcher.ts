import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptOptions, AttemptOutcome, RefusedWhy } from '../../../shared/bus/caller.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Call, Reply } from '../../../shared/mcp/call.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { canServe, chooseInstance } from './balance.ts';
import { createBoundWaiters } from './bound-waiters.ts';
import { createLane, type Lane, type Turn } from './lane.ts';

/** Gets a call answered: waits for a slot, picks a worker, offers again where nothing ran. */
export interface Dispatcher {
  /**
   * Resolves with what the server answered. Rejects with GatewayError, or with the signal's reason when the agent cancelled.
   * A call that may have run is never offered again.
   */
  dispatch(call: Call, options: DispatchOptions): Promise<Reply>;
  /** Calls waiting and on their way, by server. */
  load(): ReadonlyMap<string, { readonly waiting: number; readonly inFlight: number }>;
}

export type DispatchOptions = Pick<AttemptOptions, 'signal' | 'onNotification' | 'beforeGo' | 'onGo'>;

export interface DispatcherOptions {
  attempt(call: Call, options: AttemptOptions): Promise<AttemptOutcome>;
  /** A worker keeps a slot for a call of this agent. */
  onFree(listener: (server: string, instance: string, agent: string) => void): () => void;
  /** Tells it that there is none. */
  decline(server: string, instance: string, agent: string): void;
  instances(server: string): readonly InstanceStatus[];
  /** False while the bus is away: calls are refused at once instead of waiting for a slot. Absent: always there. */
  connected?(): boolean;
}

/** Offers that the only process which can go on with a call may leave unanswered. */
const maxSilences = 6;
/** A process that refuses in one of these ways is dead, frozen or cut off; its last heartbeat may still say otherwise. */
const silent: ReadonlySet<RefusedWhy> = new Set(['no_responders', 'no_accept', 'expired']);
/** A call waits at most this long for a slot. */
const maxWaitMs = 30_000;
/** Pauses before offering again when nobody answered although somebody should be there. */
const againMs = [30, 120, 350] as const;

export function createDispatcher({ attempt, onFree, decline, instances, connected }: DispatcherOptions): Dispatcher {
  const lanes = new Map<string, Lane>();
  const bound = createBoundWaiters();
  onFree((server, instance, agent) => {
    const take = () => bound.wake(instance, agent) || lanes.get(server)?.take(agent, instance) === true;
    // A call that was refused just before may not wait again yet.
    if (!take()) setImmediate(() => take() || decline(server, instance, agent));
  });

  function laneOf(server: string): Lane {
    let lane = lanes.get(server);
    if (lane === undefined) {
      lane = createLane(() => instances(server));
      lanes.set(server, lane);
    }
    return lane;
  }

  async function dispatch(call: Call, options: DispatchOptions): Promise<Reply> {
    if (connected?.() === false) throw brokerGone();
    if (call.instance !== undefined) return pinned(call, call.instance, options);
    const lane = laneOf(call.server);
    refuseWhereNobodyServes(call.server, lane);
    const deadline = performance.now() + call.timeoutMs;
    const waitUntil = Math.min(deadline, performance.now() + maxWaitMs);
    let turn = await lane.enter(call.principal.id, options.signal, waitUntil, false);
    let entered = true;
    try {
      let tried = new Set(lane.suspects());
      let someFull = false;
      let pauses = 0;
      for (;;) {
        const chosen =
          turn.instance !== undefined && !tried.has(turn.instance)
            ? turn.instance
            : chooseInstance(instances(call.server), lane.own, tried);
        const outcome = await offer(inTime(call, deadline), chosen, lane, options, turn);
        if (outcome.kind === 'answered') {
          lane.took(outcome.reply.timing.upstreamMs);
          return outcome.reply;
        }
        someFull ||= outcome.why === 'full';
        if (outcome.instance !== undefined) {
          tried.add(outcome.instance);
          if (instances(call.server).some((status) => canServe(status) && !tried.has(status.instance))) continue;
        }
        if (someFull) {
          lane.giveWay(call.principal.id, turn);
          entered = false;
          turn = await lane.enter(call.principal.id, options.signal, waitUntil, true);
          entered = true;
          someFull = false;
          pauses = 0;
        } else {
          refuseWhereNobodyServes(call.server, lane, outcome);
          const nobodyKnown = outcome.why === 'no_responders' && instances(call.server).length === 0;
          if (nobodyKnown || pauses >= againMs.length) throw noWorker(call.server);
          await sleep(againMs[pauses]);
          pauses += 1;
        }
        tried = new Set(lane.suspects());
      }
    } finally {
      if (entered) lane.leave(call.principal.id);
    }
  }

  async function offer(
    call: Call,
    instance: string | undefined,
    lane: Lane,
    dispatchOptions: DispatchOptions,
    { kind, mayWait }: Turn,
  ): Promise<AttemptOutcome> {
    const waiting = lane.waitingInTurn(call.principal.id);
    const options = { ...dispatchOptions, instance, waiting, mayWait };
    if (kind === 'ask')
      options.onGo = (at) => {
        dispatchOptions.onGo?.(at);
        lane.open();
      };
    if (instance === undefined) return attempt(call, options);
    lane.count(instance, 1);
    try {
      const outcome = await attempt(call, options);
      if (outcome.kind === 'answered') lane.trust(instance);
      else if (silent.has(outcome.why)) lane.suspect(instance);
      return outcome.kind === 'refused' && outcome.instance === undefined ? { ...outcome, instance } : outcome;
    } finally {
      lane.count(instance, -1);
    }
  }

  /** Only one process can go on with this call: the one that holds it, or that keeps the state of its agent. */
  async function pinned(call: Call, instance: string, options: DispatchOptions): Promise<Reply> {
    const deadline = performance.now() + call.timeoutMs;
    const waitUntil = Math.min(deadline, performance.now() + maxWaitMs);
    let silences = 0;
    for (let offers = 0; ; offers += 1) {
      const waiting = bound.count(instance, call.principal.id);
      const outcome = await attempt(inTime(call, deadline), { ...options, instance, waiting });
      if (outcome.kind === 'answered') return outcome.reply;
      const { why } = outcome;
      if (why === 'no_accept') silences += 1;
      const again = why === 'full' || (why === 'no_accept' && silences < maxSilences);
      if (!again) throw refusedThere(call, instance, why);
      if (performance.now() > waitUntil) throw overloadedThere(call.server);
      await bound.wait(instance, call.principal.id, againMs[Math.min(offers, againMs.length - 1)] ?? 0);
    }
  }

  function refusedThere(call: Call, instance: string, why: RefusedWhy): GatewayError {
    // The tool of a held call has begun; any other call has not.
    if (call.park !== undefined) {
      const message = 'the worker that was to go on with this call is gone';
      return new GatewayError('upstream_lost', message, { executed: 'unknown' });
    }
    if (why !== 'breaker') return noWorker(call.server);
    return circuitOpen(instances(call.server).filter((status) => status.instance === instance));
  }

  /** Fails fast, without a round trip, where every process says that it cannot take calls. */
  function refuseWhereNobodyServes(server: string, lane: Lane, outcome?: AttemptOutcome): void {
    const known = instances(server);
    if (known.length === 0) return;
    const serving = known.filter(canServe);
    const onlyProbes = serving.length > 0 && serving.every((status) => status.breaker === 'half_open');
    const refusedProbe = outcome?.kind === 'refused' && outcome.why === 'breaker';
    if (onlyProbes && (refusedProbe || (outcome === undefined && lane.inFlight >= serving.length)))
      throw circuitOpen(serving);
    if (serving.length > 0) return;
    const open = known.filter((status) => status.breaker === 'open');
    if (open.length > 0) throw circuitOpen(open);
    throw noWorker(server);
  }

  return {
    dispatch,
    load() {
      return new Map([...lanes].map(([server, lane]) => [server, { waiting: lane.waiting, inFlight: lane.inFlight }]));
    },
  };
}

/** The call with the time that is left for it: deadlines travel as remaining milliseconds. Throws where none is left. */
function inTime(call: Call, deadline: number): Call {
  const leftMs = deadline - performance.now();
  if (leftMs <= 0) {
    throw new GatewayError('overloaded', `no worker of ${call.server} took this call in its time`, {
      retryAfterMs: 1_000,
    });
  }
  // A hundredth of its time is not worth a copy.
  return leftMs > call.timeoutMs * 0.99 ? call : { ...call, timeoutMs: Math.ceil(leftMs) };
}

function brokerGone(): GatewayError {
  return new GatewayError('broker_unavailable', 'the message bus is not reachable', { retryAfterMs: 1_000 });
}

function overloadedThere(server: string): GatewayError {
  const message = `the one worker of ${server} that this call must go to is busy`;
  return new GatewayError('overloaded', message, { retryAfterMs: 1_000 });
}

function circuitOpen(instances: readonly InstanceStatus[]): GatewayError {
  const waits = instances.map((status) => status.retryAfterMs ?? 1_000);
  const retryAfterMs = waits.length === 0 ? 1_000 : Math.min(...waits);
  return new GatewayError('circuit_open', 'the circuit breaker of this server is open', { retryAfterMs });
}

function noWorker(server: string): GatewayError {
  return new GatewayError('no_worker', `no worker of ${server} can take this call now`, { retryAfterMs: 1_000 });
}
