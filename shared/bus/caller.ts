import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { CancelSignal } from '../cancellation.ts';
import { GatewayError, reasons } from '../errors.ts';
import type { Call, CallNotification, Reply } from '../mcp/call.ts';
import { type Control, decodeMessage, encodeMessage, type Frame } from './frames.ts';
import { readJsonObject } from './json-bytes.ts';
import { busLimits } from './limits.ts';
import { createOutbox } from './outbox.ts';
import { createPeers } from './peers.ts';
import type { Subjects } from './subjects.ts';

/** Why nobody took an offer. Nothing ran and nothing will: the call may be offered elsewhere. */
export type RefusedWhy = 'full' | 'breaker' | 'draining' | 'down' | 'no_responders' | 'no_accept' | 'expired';

export type AttemptOutcome =
  | { readonly kind: 'answered'; readonly reply: Reply }
  | {
      readonly kind: 'refused';
      readonly why: RefusedWhy;
      readonly instance?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    };

export interface AttemptOptions {
  /** Offer to this worker process; absent: to the queue group. */
  readonly instance?: string | undefined;
  /** Aborts when the agent no longer wants the answer. */
  readonly signal: CancelSignal;
  onNotification(notification: CallNotification): void;
  /** What must be true before the tool may start (the intent is recorded); runs beside the offer. */
  readonly beforeGo?: Promise<void> | undefined;
}

/** The ingress' side of offer–accept–go: one inbox for all calls, one timer for all deadlines. */
export interface Caller {
  /**
   * Offers the call once and follows it to its end. Rejects with GatewayError: `broker_unavailable` (nothing ran), `upstream_lost`,
   * `upstream_timeout` and what the worker failed with; or with the signal's reason when the agent cancelled.
   */
  attempt(call: Call, options: AttemptOptions): Promise<AttemptOutcome>;
  readonly inFlight: number;
  /** Frames that came for calls already answered. */
  readonly lateFrames: number;
  readonly connected: boolean;
  /** A worker that was full has a slot again. */
  onFree(listener: (server: string, instance: string) => void): () => void;
  close(): void;
}

export interface CallerOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly ingress: string;
  readonly log: Logger;
}

/** offering → accepted (waits for `beforeGo`) → running → settled */
interface Attempt {
  readonly key: string;
  readonly call: Call;
  readonly options: AttemptOptions;
  readonly startedAt: number;
  state: 'offering' | 'accepted' | 'running' | 'settled';
  instance: string;
  /** When the worker must have answered, by the clock of this process. */
  answerBy: number;
  readonly hardCap: number;
  /** How often in a row its process did not name it among its running calls. */
  missed: number;
  parts: Uint8Array[] | undefined;
  partsBytes: number;
  body: Uint8Array;
  onAbort: (() => void) | undefined;
  settle(outcome: AttemptOutcome): void;
  fail(error: unknown): void;
}

const text = new TextEncoder();
const noResponders = 503;

export function createCaller({ nc, subjects, ingress, log }: CallerOptions): Caller {
  const outbox = createOutbox(nc, log);
  const attempts = new Map<string, Attempt>();
  const peers = createPeers<Attempt>(probe, lose);
  const abandoned = new Map<string, { server: string; until: number }>();
  const freeListeners = new Set<(server: string, instance: string) => void>();
  let counter = 0;
  let lateFrames = 0;
  let disconnectedAt: number | undefined;
  let lastSweep = performance.now();

  const subscription = nc.subscribe(subjects.replies(ingress), {
    callback: (error, message) => {
      if (error !== null) return;
      try {
        onMessage(message);
      } catch (cause) {
        // A frame of another version or of nobody we know: it may not end the process that all other calls go through.
        log.warn({ err: cause, subject: message.subject }, 'a frame could not be read');
      }
    },
  });
  const sweeper = setInterval(sweep, busLimits.sweepMs);
  sweeper.unref();
  void followConnection();

  function control(server: string, instance: string, message: Control, body?: Uint8Array): void {
    outbox.send(subjects.instanceControl(server, instance), encodeMessage(message, body));
  }

  function attempt(call: Call, options: AttemptOptions): Promise<AttemptOutcome> {
    if (options.signal.aborted) return Promise.reject(options.signal.reason);
    if (disconnectedAt !== undefined || nc.isClosed()) return Promise.reject(brokerGone());
    // The offer may be refused before anybody looks at this promise.
    options.beforeGo?.catch(() => undefined);
    counter += 1;
    const key = counter.toString(36);
    const { params, ...head } = call;
    const body = text.encode(JSON.stringify(params));
    const parts = body.length > busLimits.inlineBytes ? Math.ceil(body.length / busLimits.partBytes) : 0;
    const offer = encodeMessage(
      { k: 'offer', key, ingress, call: head, ...(parts > 0 ? { parts } : {}) },
      parts > 0 ? undefined : body,
    );
    const subject =
      options.instance !== undefined
        ? subjects.instanceCall(call.server, options.instance)
        : call.method === 'tools/call' && call.target !== undefined
          ? subjects.tool(call.server, call.target)
          : subjects.rpc(call.server, call.method);
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const entry: Attempt = {
        key,
        call,
        options,
        startedAt,
        state: 'offering',
        instance: '',
        answerBy: startedAt + busLimits.acceptMs,
        hardCap: startedAt + busLimits.hardCapMs,
        missed: 0,
        parts: undefined,
        partsBytes: 0,
        body: parts > 0 ? body : noBytes,
        onAbort: undefined,
        settle: resolve,
        fail: reject,
      };
      const onAbort = () => cancel(entry);
      entry.onAbort = onAbort;
      options.signal.addEventListener('abort', onAbort, { once: true });
      attempts.set(key, entry);
      if (!outbox.send(subject, offer, subjects.reply(ingress, key))) end(entry, () => reject(brokerGone()));
    });
  }

  function end(entry: Attempt, finish: () => void): void {
    if (entry.state === 'settled') return;
    entry.state = 'settled';
    attempts.delete(entry.key);
    if (entry.onAbort) entry.options.signal.removeEventListener('abort', entry.onAbort);
    peers.remove(entry.instance, entry);
    finish();
  }

  function refuse(entry: Attempt, why: RefusedWhy, instance?: string, retryAfterMs?: number): void {
    end(entry, () => entry.settle({ kind: 'refused', why, instance, retryAfterMs }));
  }

  function fail(entry: Attempt, error: unknown): void {
    end(entry, () => entry.fail(error));
  }

  function cancel(entry: Attempt): void {
    if (entry.state === 'offering') abandon(entry);
    else
      control(entry.call.server, entry.instance, {
        k: entry.state === 'accepted' ? 'release' : 'cancel',
        ingress,
        key: entry.key,
      });
    fail(entry, entry.options.signal.reason);
  }

  /** Whoever accepts this offer from now on is told to give the slot back. */
  function abandon(entry: Attempt): void {
    abandoned.set(entry.key, { server: entry.call.server, until: performance.now() + busLimits.reservationMs });
  }

  function onMessage(message: Msg): void {
    const key = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    if (message.data.length === 0) {
      if (message.headers?.code === noResponders) onNobody(key);
      return;
    }
    const decoded = decodeMessage(message.data);
    if (decoded === undefined) return;
    const frame = decoded.head as Frame;
    if (key === 'alive' || key === 'free') {
      if (frame.k === 'alive') onAlive(frame.instance, frame.keys);
      else if (frame.k === 'free') for (const listener of freeListeners) listener(frame.server, frame.instance);
      return;
    }
    const entry = attempts.get(key);
    if (entry === undefined) {
      onLate(key, frame);
      return;
    }
    onFrame(entry, frame, decoded.body);
  }

  /**
   * A result or a `go` that was lost with a broken connection leaves both sides waiting. What the process did not name twice in a row it
   * does not run: its answer, sent on the same connection, would have come first.
   */
  function onAlive(instance: string, keys: readonly string[]): void {
    peers.seen(instance);
    for (const entry of [...peers.items(instance)]) {
      if (entry.state !== 'running') continue;
      entry.missed = keys.includes(entry.key) ? 0 : entry.missed + 1;
      if (entry.missed < 2) continue;
      fail(entry, new GatewayError('upstream_lost', 'the answer was lost on its way; whether the tool ran is unknown'));
    }
  }

  function onLate(key: string, frame: Frame): void {
    lateFrames += 1;
    const given = abandoned.get(key);
    if (given !== undefined && frame.k === 'accepted') {
      abandoned.delete(key);
      control(given.server, frame.instance, { k: 'release', ingress, key });
    }
  }

  function onNobody(key: string): void {
    if (key.startsWith(probePrefix)) {
      lose(key.slice(probePrefix.length));
      return;
    }
    const entry = attempts.get(key);
    if (entry === undefined) return;
    // Nobody got the offer, or nobody got `go`: either way the tool did not start.
    if (entry.state === 'offering') {
      if (entry.options.instance !== undefined) peers.doubt(entry.options.instance);
      refuse(entry, 'no_responders');
    } else {
      peers.doubt(entry.instance);
      refuse(entry, 'expired', entry.instance);
    }
  }

  function onFrame(entry: Attempt, frame: Frame, body: Uint8Array): void {
    switch (frame.k) {
      case 'accepted':
        if (entry.state === 'offering') onAccepted(entry, frame.instance);
        return;
      case 'busy':
        if (entry.state === 'offering') refuse(entry, frame.why, frame.instance, frame.retryAfterMs);
        return;
      case 'expired':
        if (entry.state !== 'offering') refuse(entry, 'expired', frame.instance);
        return;
    }
    // Nobody can answer a call that no process was told to run.
    if (entry.state !== 'running') return;
    switch (frame.k) {
      case 'note': {
        peers.seen(entry.instance);
        entry.answerBy = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs + busLimits.answerGraceMs);
        const params = readJsonObject(body);
        if (params !== undefined) entry.options.onNotification({ method: frame.method, params });
        return;
      }
      case 'chunk':
        onChunk(entry, body);
        return;
      case 'result': {
        const whole = entry.parts === undefined ? body : Buffer.concat([...entry.parts, body]);
        const reply: Reply = {
          kind: 'result',
          resultType: frame.resultType,
          body: whole,
          isError: frame.isError === true,
          instance: entry.instance,
          park: frame.park,
          timing: timing(entry, frame.upstreamMs),
        };
        peers.seen(entry.instance);
        end(entry, () => entry.settle({ kind: 'answered', reply }));
        return;
      }
      case 'error': {
        const reply: Reply = {
          kind: 'error',
          error: frame.error,
          instance: entry.instance,
          timing: timing(entry, frame.upstreamMs),
        };
        peers.seen(entry.instance);
        end(entry, () => entry.settle({ kind: 'answered', reply }));
        return;
      }
      case 'failed':
        fail(
          entry,
          new GatewayError(Object.hasOwn(reasons, frame.reason) ? frame.reason : 'upstream_lost', frame.message, {
            executed: frame.executed,
            upstreamMs: frame.upstreamMs,
            ...(frame.retryAfterMs === undefined ? {} : { retryAfterMs: frame.retryAfterMs }),
          }),
        );
        return;
      default:
        return;
    }
  }

  function timing(entry: Attempt, upstreamMs: number) {
    return { totalMs: performance.now() - entry.startedAt, upstreamMs };
  }

  function onAccepted(entry: Attempt, instance: string): void {
    if (performance.now() > entry.startedAt + entry.call.timeoutMs) {
      // This process stood still for so long that the agent's time is over: too late to begin.
      control(entry.call.server, instance, { k: 'release', ingress, key: entry.key });
      refuse(entry, 'no_accept', instance);
      return;
    }
    entry.state = 'accepted';
    entry.instance = instance;
    entry.answerBy = entry.hardCap;
    peers.add(instance, entry.call.server, entry);
    const { beforeGo } = entry.options;
    if (beforeGo === undefined) {
      go(entry);
      return;
    }
    beforeGo.then(
      () => {
        if (entry.state === 'accepted') go(entry);
      },
      (error: unknown) => {
        control(entry.call.server, instance, { k: 'release', ingress, key: entry.key });
        fail(entry, error);
      },
    );
  }

  function go(entry: Attempt): void {
    const { server } = entry.call;
    for (let at = 0; at < entry.body.length; at += busLimits.partBytes) {
      control(
        server,
        entry.instance,
        { k: 'part', ingress, key: entry.key },
        entry.body.subarray(at, at + busLimits.partBytes),
      );
    }
    entry.body = noBytes;
    entry.state = 'running';
    entry.answerBy = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs + busLimits.answerGraceMs);
    // With a reply subject the server says at once when the process is gone, and then the tool never started.
    outbox.send(
      subjects.instanceControl(server, entry.instance),
      encodeMessage({ k: 'go', ingress, key: entry.key }),
      subjects.reply(ingress, entry.key),
    );
  }

  function onChunk(entry: Attempt, body: Uint8Array): void {
    peers.seen(entry.instance);
    entry.parts ??= [];
    entry.parts.push(body);
    entry.partsBytes += body.length;
    if (entry.partsBytes > busLimits.maxBodyBytes) {
      control(entry.call.server, entry.instance, { k: 'cancel', ingress, key: entry.key });
      fail(entry, new GatewayError('bad_upstream_output', 'the result is too large', { executed: 'yes' }));
      return;
    }
    if (entry.parts.length % (busLimits.creditParts / 2) === 0) {
      control(entry.call.server, entry.instance, {
        k: 'credit',
        ingress,
        key: entry.key,
        chunks: busLimits.creditParts / 2,
      });
    }
  }

  /** The process is gone: what it was running has an unknown end; what it had only accepted never starts. */
  function lose(instance: string): void {
    for (const entry of peers.lose(instance)) {
      // It may only have stood still: then it must not go on with what nobody waits for.
      control(entry.call.server, instance, { k: 'cancel', ingress, key: entry.key });
      if (entry.state === 'accepted') refuse(entry, 'expired', instance);
      else
        fail(
          entry,
          new GatewayError('upstream_lost', 'the worker that ran this call is gone; whether the tool ran is unknown'),
        );
    }
  }

  function probe(server: string, instance: string): void {
    const reply = subjects.reply(ingress, probePrefix + instance);
    outbox.send(subjects.instanceControl(server, instance), encodeMessage({ k: 'ping', ingress }), reply);
  }

  function sweep(): void {
    const now = performance.now();
    const stall = now - lastSweep - busLimits.sweepMs;
    lastSweep = now;
    if (stall > 500) {
      // This process itself stood still (a pause, a blocked loop): frames may be waiting unread, so nobody is called lost for it.
      peers.forgive(stall);
      for (const entry of attempts.values()) if (entry.state === 'offering') entry.answerBy += busLimits.sweepMs;
      return;
    }
    const lost = disconnectedAt !== undefined && now - disconnectedAt > busLimits.disconnectGraceMs;
    for (const entry of attempts.values()) {
      if (lost && entry.state === 'running') {
        fail(
          entry,
          new GatewayError(
            'upstream_lost',
            'the message bus went away while the tool ran; whether it ran to its end is unknown',
          ),
        );
      } else if (now > entry.answerBy) {
        overdue(entry);
      }
    }
    if (disconnectedAt === undefined) peers.watch(now);
    for (const [key, given] of abandoned) if (now > given.until) abandoned.delete(key);
  }

  function overdue(entry: Attempt): void {
    if (entry.state === 'offering') {
      abandon(entry);
      refuse(entry, 'no_accept');
      return;
    }
    control(entry.call.server, entry.instance, { k: 'cancel', ingress, key: entry.key });
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
    attempt,
    get inFlight() {
      return attempts.size;
    },
    get lateFrames() {
      return lateFrames;
    },
    get connected() {
      return disconnectedAt === undefined && !nc.isClosed();
    },
    onFree(listener) {
      freeListeners.add(listener);
      return () => freeListeners.delete(listener);
    },
    close() {
      clearInterval(sweeper);
      subscription.unsubscribe();
      for (const entry of [...attempts.values()]) {
        if (entry.state === 'running') {
          control(entry.call.server, entry.instance, { k: 'cancel', ingress, key: entry.key });
        }
        fail(
          entry,
          entry.state === 'running'
            ? new GatewayError('upstream_lost', 'this ingress stopped before the answer came')
            : new GatewayError('shutting_down', 'this ingress is stopping'),
        );
      }
      outbox.flush();
    },
  };
}

const noBytes = new Uint8Array(0);
const probePrefix = 'p-';

function brokerGone(): GatewayError {
  return new GatewayError('broker_unavailable', 'the message bus is not reachable', { retryAfterMs: 1_000 });
}
