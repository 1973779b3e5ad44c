import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { type Cancellation, type CancelSignal, createCancellation } from '../cancellation.ts';
import { GatewayError } from '../errors.ts';
import type { Call, CallNotification } from '../mcp/call.ts';
import { isJsonObject, type JsonObject } from '../mcp/json.ts';
import type { RpcError } from '../mcp/json-rpc.ts';
import { flushed } from './flush.ts';
import { type Control, decodeMessage, encodeMessage, type Frame, type Offer } from './frames.ts';
import { readJsonObject } from './json-bytes.ts';
import { busLimits } from './limits.ts';
import { createOutbox } from './outbox.ts';
import { type Credit, createCredit, failureFrame, sendInParts } from './send-result.ts';
import type { Subjects } from './subjects.ts';

/** What the worker answers a call with; `result` becomes JSON text here and nowhere later. */
export type CalleeAnswer =
  | {
      readonly kind: 'result';
      readonly resultType: string;
      readonly result: JsonObject;
      readonly park?: string | undefined;
    }
  | { readonly kind: 'error'; readonly error: RpcError };

export interface RunContext {
  /** Aborts with a GatewayError (`upstream_timeout`) or with `cancelled` as its reason. */
  readonly signal: CancelSignal;
  onNotification(notification: CallNotification): void;
}

/** Whether one more call may be taken now. */
export type Admission =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly why: 'full' | 'breaker' | 'draining' | 'down';
      readonly retryAfterMs?: number | undefined;
    };

export interface CalleeOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly server: string;
  readonly instance: string;
  readonly log: Logger;
  /** Asked for each offer, with the number of calls reserved or running. */
  admit(inFlight: number, call: Call): Admission;
  /** Runs the tool. Rejects with GatewayError. */
  run(call: Call, context: RunContext): Promise<CalleeAnswer>;
}

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

/** reserved (waits for `go`) → running → done */
interface Running {
  readonly key: string;
  readonly ingress: string;
  readonly call: Call;
  readonly abort: Cancellation;
  state: 'reserved' | 'running';
  /** Reservation end, then deadline. */
  until: number;
  hardCap: number;
  parts: Uint8Array[];
  partsWanted: number;
  readonly credit: Credit;
  startedAt: number;
}

export const cancelled = Symbol('cancelled');

export function createCallee(options: CalleeOptions): Callee {
  const { nc, subjects, server, instance, log } = options;
  const outbox = createOutbox(nc, log);
  const running = new Map<string, Running>();
  const waiting = new Set<string>();
  const group = new Map<string, Subscription>();
  let tools: ReadonlySet<string> = new Set();
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

  /** Keys are counted by each ingress for itself, so both together name a call. */
  const nameOf = (ingress: string, key: string) => `${ingress}.${key}`;

  function send(subject: string, frame: Frame, body?: Uint8Array | string): boolean {
    return outbox.send(subject, encodeMessage(frame, body));
  }

  function onOffer(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const decoded = decodeMessage(message.data);
    if (decoded === undefined || decoded.head.k !== 'offer' || message.reply === undefined) return;
    const offer = decoded.head;
    // The same offer again: it must not take the place of the call that runs under its name.
    if (running.has(nameOf(offer.ingress, offer.key))) return;
    const call = readCall(offer, decoded.body);
    if (call === undefined || call.server !== server) {
      log.warn({ subject: message.subject }, 'an offer could not be read');
      return;
    }
    const admission = draining ? ({ ok: false, why: 'draining' } as const) : admit(call);
    if (!admission.ok) {
      refused += 1;
      if (admission.why === 'full') waiting.add(offer.ingress);
      send(message.reply, { k: 'busy', instance, why: admission.why, retryAfterMs: admission.retryAfterMs });
      return;
    }
    const now = performance.now();
    const entry: Running = {
      key: offer.key,
      ingress: offer.ingress,
      call,
      abort: createCancellation(),
      state: 'reserved',
      until: now + busLimits.reservationMs,
      hardCap: now + busLimits.hardCapMs,
      parts: [],
      partsWanted: offer.parts ?? 0,
      credit: createCredit(busLimits.creditParts),
      startedAt: now,
    };
    running.set(nameOf(offer.ingress, offer.key), entry);
    send(message.reply, { k: 'accepted', instance });
  }

  /** An ingress that offers to this very process does not know which of the server's tools it has. */
  function admit(call: Call): Admission {
    const lacks =
      group.size > 0 && call.method === 'tools/call' && call.target !== undefined && !tools.has(call.target);
    return lacks && call.park === undefined ? { ok: false, why: 'down' } : options.admit(running.size, call);
  }

  function onControl(error: Error | null, message: Msg): void {
    if (error !== null) return;
    const decoded = decodeMessage(message.data);
    if (decoded === undefined) return;
    const control = decoded.head as Control;
    if (control.k === 'ping') {
      sayAliveTo(control.ingress);
      return;
    }
    const name = nameOf(control.ingress, control.key);
    const entry = running.get(name);
    switch (control.k) {
      case 'go':
        if (entry?.state === 'reserved') start(entry);
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
        if (entry.state === 'reserved') done(entry);
        else entry.abort.abort(cancelled);
        return;
      default:
        control satisfies never;
    }
  }

  function start(entry: Running): void {
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

  function note(entry: Running, { method, params }: CallNotification): void {
    if (!isRunning(entry)) return;
    const body = JSON.stringify(params);
    // Notifications are not worth chunking: one that does not fit is dropped, the call goes on.
    if (body.length > busLimits.inlineBytes) return;
    if (method === 'notifications/progress')
      entry.until = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs);
    send(subjects.reply(entry.ingress, entry.key), { k: 'note', method }, body);
  }

  async function answerWith(entry: Running, answer: CalleeAnswer): Promise<void> {
    if (!isRunning(entry)) return;
    const upstreamMs = performance.now() - entry.startedAt;
    const reply = subjects.reply(entry.ingress, entry.key);
    if (answer.kind === 'error') {
      send(reply, { k: 'error', error: answer.error, upstreamMs });
      done(entry);
      return;
    }
    const head: Frame = {
      k: 'result',
      resultType: answer.resultType,
      isError: answer.result['isError'] === true ? true : undefined,
      park: answer.park,
      upstreamMs,
    };
    const text = JSON.stringify(answer.result);
    if (text.length <= busLimits.inlineBytes / 3) send(reply, head, text);
    else
      await sendInParts(Buffer.from(text, 'utf8'), head, entry.credit, entry.abort.signal, (frame, body) =>
        send(reply, frame, body),
      );
    done(entry);
  }

  /** False: it was answered for already, because it did not end in time. */
  const isRunning = (entry: Running) => running.get(nameOf(entry.ingress, entry.key)) === entry;

  function fail(entry: Running, error: unknown): void {
    if (!isRunning(entry)) return;
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

  function done(entry: Running): void {
    if (!running.delete(nameOf(entry.ingress, entry.key))) return;
    const [next] = waiting;
    if (next !== undefined && !draining) {
      waiting.delete(next);
      send(subjects.reply(next, 'free'), { k: 'free', server, instance });
    }
    if (running.size === 0) onIdle?.();
  }

  function sweep(): void {
    const now = performance.now();
    for (const entry of [...running.values()]) {
      if (now <= entry.until) continue;
      if (entry.state === 'reserved') done(entry);
      else if (!entry.abort.signal.aborted) {
        entry.abort.abort(new GatewayError('upstream_timeout', `no answer within ${entry.call.timeoutMs} ms`));
      } else if (now > entry.until + busLimits.answerGraceMs) {
        // The upstream did not even settle after the abort: answer for it.
        fail(entry, entry.abort.signal.reason);
      }
    }
  }

  function sayAlive(): void {
    const ingresses = new Set<string>();
    for (const entry of running.values()) ingresses.add(entry.ingress);
    for (const ingress of ingresses) sayAliveTo(ingress);
  }

  function sayAliveTo(ingress: string): void {
    const keys: string[] = [];
    for (const entry of running.values()) {
      if (entry.ingress === ingress && entry.state === 'running') keys.push(entry.key);
    }
    send(subjects.reply(ingress, 'alive'), { k: 'alive', instance, keys });
  }

  /** An ingress that lost its connection has given up what it had not started, and its `go` may come minutes later. */
  async function followConnection(): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') releaseReserved();
    }
  }

  function releaseReserved(): void {
    for (const entry of [...running.values()]) if (entry.state === 'reserved') done(entry);
  }

  function join(names: Iterable<string>): void {
    if (draining) return;
    tools = new Set(names);
    const wanted = new Set<string>([subjects.rpcs(server)]);
    for (const tool of tools) wanted.add(subjects.tool(server, tool));
    for (const [subject, subscription] of group) {
      if (wanted.has(subject)) continue;
      subscription.unsubscribe();
      group.delete(subject);
    }
    for (const subject of wanted) {
      if (!group.has(subject))
        group.set(subject, nc.subscribe(subject, { queue: subjects.group(server), callback: onOffer }));
    }
  }

  function leave(): void {
    // Drained, so that an offer on its way is answered `busy` instead of costing its call the time in which nobody accepts.
    for (const subscription of group.values()) subscription.drain().catch(() => undefined);
    group.clear();
  }

  async function drain(graceMs: number): Promise<void> {
    leave();
    draining = true;
    if (graceMs === 0) releaseReserved();
    if (running.size > 0 && graceMs > 0) {
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
    for (const entry of [...running.values()]) {
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
    join,
    leave,
    drain,
    get inFlight() {
      return running.size;
    },
    get refused() {
      return refused;
    },
  };
}

function readCall(offer: Offer, body: Uint8Array): Call | undefined {
  const params = offer.parts === undefined ? readJsonObject(body) : {};
  const head: unknown = offer.call;
  if (params === undefined || !isJsonObject(head)) return undefined;
  const { id, server, method, timeoutMs } = head;
  if (
    typeof id !== 'string' ||
    typeof server !== 'string' ||
    typeof method !== 'string' ||
    typeof timeoutMs !== 'number'
  ) {
    return undefined;
  }
  return { ...(offer.call as Omit<Call, 'params'>), params };
}
