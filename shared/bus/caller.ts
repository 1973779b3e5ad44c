import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { GatewayError } from '../errors.ts';
import type { Call } from '../mcp/call.ts';
import { ShortLivedMap } from '../short-lived.ts';
import { createAbandonedOffers } from './abandoned-offers.ts';
import { createAcceptTime } from './accept-time.ts';
import { type Attempt, type AttemptOptions, type AttemptOutcome, brokerGone, type RefusedWhy } from './attempt.ts';
import { startAttemptClock } from './attempt-clock.ts';
import { createFrameReader } from './attempt-frames.ts';
import { createAttemptKeys } from './attempt-keys.ts';
import { proveCall } from './call-proof.ts';
import { encodeOffer } from './encode-offer.ts';
import { type Control, decodeMessage, encodeMessage, type Frame } from './frames.ts';
import { busLimits } from './limits.ts';
import { createOutbox } from './outbox.ts';
import { createPeers } from './peers.ts';
import type { Subjects } from './subjects.ts';

export type { AttemptOptions, AttemptOutcome, RefusedWhy } from './attempt.ts';

/** The ingress' side of offer–accept–go: one inbox for all calls, one timer for all deadlines. */
export interface Caller {
  /**
   * Offers the call once and follows it to its end. Rejects with GatewayError: `broker_unavailable` (nothing ran), `upstream_lost`,
   * `upstream_timeout` and what the worker failed with; or with the signal's reason when the agent cancelled.
   */
  attempt(call: Call, options: AttemptOptions): Promise<AttemptOutcome>;
  /** Tells a worker that nobody will answer the questions of the call it holds. What is lost on the way ends by its own deadline. */
  abandon(server: string, instance: string, park: string): void;
  readonly inFlight: number;
  /** Frames that came for calls already answered. */
  readonly lateFrames: number;
  readonly connected: boolean;
  /** A worker that was full keeps a slot for a call of this agent. */
  onFree(listener: (server: string, instance: string, agent: string) => void): () => void;
  /** Tells it that there is none. */
  decline(server: string, instance: string, agent: string): void;
  close(): void;
}

export interface CallerOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly ingress: string;
  readonly log: Logger;
  /** Signs the calls of a server. */
  callKeyOf(server: string): Buffer;
}

const noResponders = 503;

export function createCaller({ nc, subjects, ingress, log, callKeyOf }: CallerOptions): Caller {
  const outbox = createOutbox(nc, log);
  const attempts = new ShortLivedMap<string, Attempt>();
  const peers = createPeers<Attempt>(probe, lose);
  const abandoned = createAbandonedOffers();
  const acceptTime = createAcceptTime();
  const freeListeners = new Set<(server: string, instance: string, agent: string) => void>();
  const readFrame = createFrameReader({
    accepted: onAccepted,
    refuse,
    fail,
    answer: (entry, reply) => end(entry, () => entry.settle({ kind: 'answered', reply })),
    stop: (entry) => tell(entry, 'cancel'),
    grant: (entry, chunks) =>
      control(entry.call.server, entry.instance, { k: 'credit', ingress, key: entry.key, chunks }),
  });
  const newKey = createAttemptKeys();
  let lateFrames = 0;
  let pings = 0;

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
  const clock = startAttemptClock({
    nc,
    attempts,
    peers,
    stop: (entry) => tell(entry, 'cancel'),
    abandon: abandoned.add,
    refuse,
    fail,
    onSweep: abandoned.expire,
  });

  function control(server: string, instance: string, message: Control, body?: Uint8Array): void {
    outbox.send(subjects.instanceControl(server, instance), encodeMessage(message, body));
  }

  function tell(entry: Attempt, k: 'cancel' | 'release'): void {
    control(entry.call.server, entry.instance, { k, ingress, key: entry.key });
  }

  function attempt(call: Call, options: AttemptOptions): Promise<AttemptOutcome> {
    if (options.signal.aborted) return Promise.reject(options.signal.reason);
    if (!clock.connected) return Promise.reject(brokerGone());
    const key = newKey();
    const { subject, message, body } = encodeOffer(call, options, { ingress, key }, subjects);
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const entry: Attempt = {
        key,
        call,
        options,
        startedAt,
        state: 'offering',
        instance: '',
        answerBy: startedAt + acceptTime.ms,
        hardCap: startedAt + busLimits.hardCapMs,
        asked: 0,
        assembly: undefined,
        offer: message,
        challenge: '',
        body,
        onAbort: undefined,
        settle: resolve,
        fail: reject,
      };
      const onAbort = () => cancel(entry);
      entry.onAbort = onAbort;
      options.signal.addEventListener('abort', onAbort, { once: true });
      attempts.set(key, entry);
      // Later states look at it themselves; the offer may also be refused before anybody does.
      options.beforeGo?.catch((error: unknown) => {
        if (entry.state !== 'offering') return;
        abandoned.add(entry);
        fail(entry, error);
      });
      if (!outbox.send(subject, message, subjects.reply(ingress, key))) end(entry, () => reject(brokerGone()));
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
    if (entry.state === 'offering') abandoned.add(entry);
    else tell(entry, entry.state === 'accepted' ? 'release' : 'cancel');
    fail(entry, entry.options.signal.reason);
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
      if (frame.k === 'alive') onAlive(frame.instance, frame.keys, frame.n ?? 0);
      else if (frame.k === 'free')
        for (const listener of freeListeners) listener(frame.server, frame.instance, frame.agent);
      return;
    }
    const entry = attempts.get(key);
    if (entry === undefined) {
      onLate(key, frame);
      return;
    }
    if (entry.state === 'running') peers.seen(entry.instance);
    readFrame(entry, frame, decoded.body);
  }

  /**
   * A result or a `go` that was lost with a broken connection leaves both sides waiting. An `alive` that does not name a call may have been
   * under way when its `go` was sent; so the process is asked, and what it does not name in answer to that it does not run: a `go`
   * travels before the ping, an answer before the `alive`.
   */
  function onAlive(instance: string, keys: readonly string[], answered: number): void {
    peers.seen(instance);
    let unnamed: Attempt | undefined;
    for (const entry of [...peers.items(instance)]) {
      if (entry.state !== 'running') continue;
      if (keys.includes(entry.key)) entry.asked = 0;
      else if (entry.asked === 0) {
        entry.asked = pings + 1;
        unnamed = entry;
      } else if (answered >= entry.asked) fail(entry, lostOnItsWay());
    }
    if (unnamed !== undefined) probe(unnamed.call.server, instance);
  }

  function onLate(key: string, frame: Frame): void {
    lateFrames += 1;
    if (frame.k !== 'accepted') return;
    const offer = abandoned.take(key);
    if (offer === undefined) return;
    acceptTime.seen(performance.now() - offer.offeredAt);
    control(offer.server, frame.instance, { k: 'release', ingress, key });
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

  function onAccepted(entry: Attempt, instance: string, challenge: string): void {
    if (performance.now() > entry.startedAt + entry.call.timeoutMs) {
      // This process stood still for so long that the agent's time is over: too late to begin.
      control(entry.call.server, instance, { k: 'release', ingress, key: entry.key });
      refuse(entry, 'no_accept', instance);
      return;
    }
    // One that was kept in line says nothing of the way.
    if (entry.options.mayWait !== true) acceptTime.seen(performance.now() - entry.startedAt);
    entry.state = 'accepted';
    entry.instance = instance;
    entry.challenge = challenge;
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
        tell(entry, 'release');
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
    const { key, instance, challenge } = entry;
    const proof = proveCall(callKeyOf(server), { ingress, key, instance, challenge }, entry.offer, [entry.body]);
    entry.body = noBytes;
    entry.state = 'running';
    entry.options.onGo?.(entry.instance);
    entry.answerBy = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs + busLimits.answerGraceMs);
    // With a reply subject the server says at once when the process is gone, and then the tool never started.
    outbox.send(
      subjects.instanceControl(server, entry.instance),
      encodeMessage({ k: 'go', ingress, key: entry.key, proof }),
      subjects.reply(ingress, entry.key),
    );
  }

  /** The process is gone: what it was running has an unknown end; what it had only accepted never starts. */
  function lose(instance: string): void {
    for (const entry of peers.lose(instance)) {
      // It may only have stood still: then it must not go on with what nobody waits for.
      tell(entry, 'cancel');
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
    pings += 1;
    outbox.send(subjects.instanceControl(server, instance), encodeMessage({ k: 'ping', ingress, n: pings }), reply);
  }

  return {
    attempt,
    abandon: (server, instance, park) => control(server, instance, { k: 'abandon', park }),
    decline: (server, instance, agent) => control(server, instance, { k: 'decline', ingress, agent }),
    get inFlight() {
      return attempts.size;
    },
    get lateFrames() {
      return lateFrames;
    },
    get connected() {
      return clock.connected;
    },
    onFree(listener) {
      freeListeners.add(listener);
      return () => freeListeners.delete(listener);
    },
    close() {
      clock.close();
      subscription.unsubscribe();
      for (const entry of [...attempts.values()]) {
        if (entry.state === 'running') tell(entry, 'cancel');
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

function lostOnItsWay(): GatewayError {
  return new GatewayError('upstream_lost', 'the answer was lost on its way; whether the tool ran is unknown');
}
