import type { Msg } from '@nats-io/transport-node';
import { GatewayError } from '../errors.ts';
import type { Call, CallNotification } from '../mcp/call.ts';
import { isProven } from './call-proof.ts';
import type { Admission, CalleeAnswer, CalleeOptions } from './callee-options.ts';
import { flushed } from './flush.ts';
import { type Control, decodeMessage, encodeMessage, type Frame } from './frames.ts';
import { readJsonObject } from './json-bytes.ts';
import { busLimits } from './limits.ts';
import { createOutbox } from './outbox.ts';
import { createQueueGroup } from './queue-group.ts';
import { readOffer } from './read-offer.ts';
import { failureFrame, sendResult } from './send-result.ts';
import { createSlotTurns } from './slot-turns.ts';
import { createTakenCalls, type TakenCall } from './taken-calls.ts';

export type { Admission, CalleeAnswer, CalleeOptions, RunContext } from './callee-options.ts';

/** The worker's side of offer–accept–go. It listens to its own subjects at once and to the group's after `join`. */
export interface Callee {
  /** Takes offers of the queue group: of these tools, and of every other method. Call again when the tools change. */
  join(tools: Iterable<string>): void;
  /** Leaves the queue group; offers to this process itself still come. */
  leave(): void;
  readonly inFlight: number;
  /** Offers that found no slot. */
  readonly refused: number;
  /** Leaves the group, waits for running calls (at most `graceMs`), fails the rest with `shutting_down` and stops listening. */
  drain(graceMs: number): Promise<void>;
}

export const cancelled = Symbol('cancelled');

export function createCallee(options: CalleeOptions): Callee {
  const { nc, subjects, server, instance, log } = options;
  const outbox = createOutbox(nc, log);
  const taken = createTakenCalls();
  const group = createQueueGroup(nc, subjects, server, onOffer);
  const turns = createSlotTurns();
  let draining = false;
  let refused = 0;
  let onIdle: (() => void) | undefined;

  const own = [
    nc.subscribe(subjects.instanceCall(server, instance), { callback: onOffer }),
    nc.subscribe(subjects.instanceControl(server, instance), { callback: onControl }),
  ];
  const sweeper = setInterval(sweep, busLimits.sweepMs);
  const alive = setInterval(sayAlive, busLimits.aliveMs);
  void followConnection();

  function send(subject: string, frame: Frame, body?: Uint8Array | string): boolean {
    return outbox.send(subject, encodeMessage(frame, body));
  }

  function onOffer(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const decoded = decodeMessage(message.data);
    if (decoded === undefined || decoded.head.k !== 'offer' || message.reply === undefined) return;
    const offer = decoded.head;
    // The same offer again: it must not take the place of the call that runs under its name.
    if (taken.get(offer.ingress, offer.key) !== undefined) return;
    const call = readOffer(offer, decoded.body);
    if (call === undefined || call.server !== server) {
      log.warn({ subject: message.subject }, 'an offer could not be read');
      return;
    }
    const { ingress } = offer;
    const agent = call.principal.id;
    const admission = admit(call, ingress);
    turns.came(ingress, agent);
    const waiting = typeof offer.waiting === 'number' && offer.waiting > 0 ? offer.waiting : 0;
    if (admission.ok) {
      const { challenge } = taken.add(offer, message.data, call, 'reserved');
      send(message.reply, { k: 'accepted', instance, challenge });
      if (waiting > 0) turns.wants(ingress, agent, waiting);
    } else if (admission.why === 'full' && offer.wait === true && hasPlaceInLine(ingress)) {
      taken.add(offer, message.data, call, 'waiting');
    } else refuse(offer, call, admission, waiting);
  }

  /** The line is for who is alone here: with others waiting for a free slot, it would always be the nearer way. */
  function hasPlaceInLine(ingress: string): boolean {
    return taken.waiting < (options.line ?? 0) && !turns.othersWait(ingress);
  }

  /** An ingress that offers to this very process does not know which of the server's tools it has. */
  function admit(call: Call, ingress: string): Admission {
    if (draining) return { ok: false, why: 'draining' };
    const lacks = call.method === 'tools/call' && call.target !== undefined && !group.has(call.target);
    return lacks && call.park === undefined
      ? { ok: false, why: 'down' }
      : options.admit(taken.holding + turns.keptFrom(ingress, call.principal.id), call);
  }

  function refuse(
    { ingress, key }: { readonly ingress: string; readonly key: string },
    { principal }: Call,
    { why, retryAfterMs }: Extract<Admission, { ok: false }>,
    waiting = 0,
  ): void {
    refused += 1;
    if (why === 'full') turns.wants(ingress, principal.id, waiting + 1);
    send(subjects.reply(ingress, key), { k: 'busy', instance, why, retryAfterMs });
  }

  /** Gives free slots to those that wait for one. */
  function serveLine(): void {
    for (let next = taken.firstWaiting(); next !== undefined; next = taken.firstWaiting()) {
      const admission = admit(next.call, next.ingress);
      if (admission.ok) {
        taken.reserve(next);
        send(subjects.reply(next.ingress, next.key), { k: 'accepted', instance, challenge: next.challenge });
      } else if (admission.why === 'full') return;
      else {
        taken.remove(next);
        refuse(next, next.call, admission);
      }
    }
  }

  function onControl(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const decoded = decodeMessage(message.data);
    if (decoded === undefined) return;
    const control = decoded.head as Control;
    if (control.k === 'ping') {
      sayAliveTo(control.ingress, control.n);
      return;
    }
    if (control.k === 'abandon') {
      options.abandon?.(control.park);
      return;
    }
    if (control.k === 'decline') {
      if (turns.came(control.ingress, control.agent)) giveTurn();
      return;
    }
    const entry = taken.get(control.ingress, control.key);
    switch (control.k) {
      case 'go':
        if (entry?.state === 'reserved') startProven(entry, control.proof);
        else if (entry === undefined) send(subjects.reply(control.ingress, control.key), { k: 'expired', instance });
        return;
      case 'part':
        entry?.parts.push(decoded.body);
        return;
      case 'credit':
        entry?.credit.add(control.chunks);
        return;
      case 'release':
      case 'cancel':
        if (entry === undefined) return;
        if (entry.state === 'running') entry.abort.abort(cancelled);
        else done(entry);
        return;
      default:
        control satisfies never;
    }
  }

  function startProven(entry: TakenCall, proof: string): void {
    const { ingress, key, challenge, offer, parts } = entry;
    if (isProven(options.callKeys(), proof, { ingress, key, instance, challenge }, offer, parts)) {
      start(entry);
      return;
    }
    log.error(
      { alarm: 'unsigned_call', ingress, callId: entry.call.id },
      'a call is not signed with our cluster.secret',
    );
    options.onUnproven?.(entry.call, ingress);
    const error = new GatewayError(
      'no_worker',
      'the worker does not take calls of this ingress: they are not signed as it wants',
      {
        executed: 'no',
      },
    );
    send(subjects.reply(ingress, key), failureFrame(error, 0));
    done(entry);
  }

  function start(entry: TakenCall): void {
    let { call } = entry;
    if (entry.partsWanted > 0) {
      const params = entry.parts.length === entry.partsWanted ? readJsonObject(Buffer.concat(entry.parts)) : undefined;
      entry.parts = [];
      if (params === undefined) {
        fail(entry, new GatewayError('broker_unavailable', 'the arguments did not arrive whole'));
        return;
      }
      call = { ...call, params };
    }
    entry.state = 'running';
    entry.startedAt = performance.now();
    entry.until = Math.min(entry.hardCap, entry.startedAt + call.timeoutMs);
    options
      .run(call, {
        signal: entry.abort.signal,
        onNotification: (notification) => note(entry, notification),
      })
      .then((answer) => answerWith(entry, answer))
      .catch((error: unknown) => fail(entry, error));
  }

  function note(entry: TakenCall, { method, params }: CallNotification): void {
    if (!taken.has(entry)) return;
    const body = JSON.stringify(params);
    // Notifications are not worth chunking: one that does not fit is dropped, the call goes on.
    if (body.length > busLimits.noteBytes) return;
    if (method === 'notifications/progress')
      entry.until = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs);
    send(subjects.reply(entry.ingress, entry.key), { k: 'note', method }, body);
  }

  async function answerWith(entry: TakenCall, answer: CalleeAnswer): Promise<void> {
    if (!taken.has(entry)) return;
    const upstreamMs = performance.now() - entry.startedAt;
    const reply = subjects.reply(entry.ingress, entry.key);
    if (answer.kind === 'error') send(reply, { k: 'error', error: answer.error, upstreamMs });
    else {
      const rest = sendResult(answer, upstreamMs, entry, (frame, body) => send(reply, frame, body));
      if (rest !== undefined) await rest;
    }
    done(entry);
  }

  function fail(entry: TakenCall, error: unknown): void {
    if (!taken.has(entry)) return;
    const upstreamMs = performance.now() - entry.startedAt;
    if (entry.abort.signal.aborted && entry.abort.signal.reason === cancelled) {
      done(entry);
      return;
    }
    const failure = entry.abort.signal.reason instanceof GatewayError ? entry.abort.signal.reason : error;
    if (!(failure instanceof GatewayError))
      log.error({ err: failure, callId: entry.call.id }, 'a call failed unexpectedly');
    send(
      subjects.reply(entry.ingress, entry.key),
      failureFrame(
        failure instanceof GatewayError
          ? failure
          : new GatewayError('upstream_lost', 'the worker failed while it ran this call', { cause: failure }),
        upstreamMs,
      ),
    );
    done(entry);
  }

  function done(entry: TakenCall): void {
    if (!taken.remove(entry)) return;
    if (entry.state !== 'waiting') {
      serveLine();
      giveTurn();
    }
    if (taken.size === 0) onIdle?.();
  }

  /** A slot is free: keeps it for whose turn it is, and says so there. */
  function giveTurn(): void {
    if (taken.waiting > 0 || draining || !turns.anyWait) return;
    const next = turns.next(taken.holders());
    if (next !== undefined)
      send(subjects.reply(next.ingress, 'free'), { k: 'free', server, instance, agent: next.agent });
  }

  function sweep(): void {
    const now = performance.now();
    for (const entry of [...taken]) {
      if (now <= entry.until) continue;
      if (entry.state === 'reserved') done(entry);
      else if (entry.state === 'waiting') {
        taken.remove(entry);
        refuse(entry, entry.call, { ok: false, why: 'full' });
      } else if (!entry.abort.signal.aborted) {
        entry.abort.abort(new GatewayError('upstream_timeout', `no answer within ${entry.call.timeoutMs} ms`));
      } else if (now > entry.until + busLimits.answerGraceMs) {
        // The upstream did not even settle after the abort: answer for it.
        fail(entry, entry.abort.signal.reason);
      }
    }
    // A slot may also become free without a call's end here, when the upstream gives up what it held.
    serveLine();
    for (let lapsed = turns.expire(); lapsed > 0; lapsed -= 1) giveTurn();
  }

  function sayAlive(): void {
    for (const ingress of taken.ingresses()) sayAliveTo(ingress);
  }

  function sayAliveTo(ingress: string, n?: number): void {
    send(subjects.reply(ingress, 'alive'), { k: 'alive', instance, keys: taken.runningOf(ingress), n });
  }

  /** An ingress that lost its connection has given up what it had not started, and its `go` may come minutes later. */
  async function followConnection(): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') releaseReserved();
    }
  }

  function releaseReserved(): void {
    for (const entry of [...taken]) if (entry.state !== 'running') done(entry);
  }

  async function drain(graceMs: number): Promise<void> {
    group.leave();
    draining = true;
    // Refused: that this process stops.
    serveLine();
    if (graceMs === 0) releaseReserved();
    if (taken.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    // A `go` for one of these is answered `expired`, or by NATS when nobody listens: either way it runs elsewhere.
    releaseReserved();
    for (const entry of [...taken]) {
      entry.abort.abort(new GatewayError('upstream_lost', 'the worker stopped before the tool had answered'));
      fail(entry, entry.abort.signal.reason);
    }
    clearInterval(sweeper);
    clearInterval(alive);
    outbox.flush();
    // What is on its way to us is still answered: `busy` to an offer, `expired` to a `go`.
    await flushed(nc, () => Promise.all(own.map((subscription) => subscription.drain())));
    outbox.flush();
    await flushed(nc);
  }

  return {
    join(names) {
      if (!draining) group.join(new Set(names));
    },
    leave: group.leave,
    drain,
    get inFlight() {
      return taken.holding;
    },
    get refused() {
      return refused;
    },
  };
}
