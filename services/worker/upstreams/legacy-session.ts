import type { CancelSignal } from '../../../shared/cancellation.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { type JsonRpcNotification, type JsonRpcRequest, type RpcError, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { isLegacyRevision, latestLegacy } from '../../../shared/mcp/revisions.ts';
import { LegacyCall } from './legacy-call.ts';
import { limits } from './limits.ts';
import { changedList } from './notifications.ts';
import type { Outcome, Peer, Waiter } from './peer.ts';
import { bridgedCapabilities, questionMethods } from './questions.ts';
import type { Introduction, Session, SessionEvents } from './session.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

export interface LegacySessionOptions {
  readonly peer: Peer;
  /** How toolbus names itself to servers. */
  readonly gateway: JsonObject;
  readonly events: SessionEvents;
  onClosed(error: GatewayError): void;
}

/** A session of the older revisions. A call may come back with a question; `resume` answers it. */
export interface LegacySession extends Session {
  resume(call: Call, options: UpstreamCallOptions): Promise<UpstreamAnswer>;
  /** True while a call of this name is held open here. */
  holds(park: string | undefined): boolean;
}

/** The server's answer to `initialize` where it is one; its JSON-RPC error otherwise. Rejects with a GatewayError. */
export async function initialize(
  peer: Peer,
  gateway: JsonObject,
  timeoutMs: number,
): Promise<Introduction | { readonly error: RpcError }> {
  const params = { protocolVersion: latestLegacy, capabilities: bridgedCapabilities, clientInfo: gateway };
  const outcome = await peer.request('initialize', params, { timeoutMs });
  if ('error' in outcome) return outcome;
  const { protocolVersion, capabilities, serverInfo, instructions } = outcome.result;
  if (typeof protocolVersion !== 'string' || !isLegacyRevision(protocolVersion)) {
    throw new GatewayError('bad_upstream_output', 'the upstream server speaks no revision that toolbus knows');
  }
  return {
    protocolVersion,
    serverInfo: isJsonObject(serverInfo) ? serverInfo : {},
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' && { instructions }),
  };
}

/** Goes on after `initialize` was answered with this introduction. */
export function openLegacySession(options: LegacySessionOptions, introduction: Introduction): LegacySession {
  const { peer, events } = options;
  const active = new Set<LegacyCall>();
  const parked = new Map<string, LegacyCall>();
  const waiting = new Set<() => void>();
  const subscribed = new Set<string>();
  const startedAt = performance.now();
  /** The server asks questions that name no call, so that only one call may run at a time. */
  let exclusive = false;

  peer.listen({ onRequest, onNotification, onClosed: options.onClosed });
  peer.established(introduction.protocolVersion);
  peer.notify('notifications/initialized');
  if (isJsonObject(introduction.capabilities['logging'])) {
    // Once and for everybody: what an agent gets is decided for each message (`forCall`).
    request('logging/setLevel', { level: 'debug' }, limits.listMs).catch(() => {});
  }

  function request(method: string, params: JsonObject, timeoutMs: number): Promise<Outcome> {
    return peer.request(method, params, { timeoutMs });
  }

  /** A request on a shared channel names no call (SEP-2260): it is certain only when there is just one. */
  function callOf(origin: Waiter | undefined): LegacyCall | undefined {
    if (origin instanceof LegacyCall) return origin;
    if (active.size !== 1) return undefined;
    const [only] = active;
    return only;
  }

  function onRequest(asked: JsonRpcRequest, origin: Waiter | undefined): void {
    if (asked.method === 'ping') {
      peer.respond(asked.id, {});
      return;
    }
    if (!questionMethods.has(asked.method)) {
      peer.refuse(asked.id);
      return;
    }
    const call = callOf(origin);
    const roots = asked.method === 'roots/list';
    // Servers list roots when they start, for nobody in particular and to keep: one agent's roots must not become everybody's.
    const starting = roots && origin === undefined && performance.now() - startedAt < limits.startupMs;
    if (call !== undefined && !starting) {
      call.ask(asked);
      return;
    }
    if (roots) {
      peer.respond(asked.id, { roots: [] });
      return;
    }
    if (active.size > 1) exclusive = true;
    peer.refuse(asked.id, 'the question belongs to no call', rpcCode.invalidRequest);
  }

  function onNotification(notification: JsonRpcNotification, origin: Waiter | undefined): void {
    const { method, params = {} } = notification;
    const kind = changedList(method);
    if (kind !== undefined) {
      events.onListChanged(kind);
      return;
    }
    if (method === 'notifications/resources/updated') {
      events.onResourceUpdated(params);
      return;
    }
    if (method === 'notifications/cancelled') {
      const id = params['requestId'];
      if (typeof id === 'string' || typeof id === 'number') for (const call of active) if (call.withdraw(id)) return;
      return;
    }
    callOf(origin)?.onNotification(notification);
  }

  function run(call: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      let park: string | undefined;
      const running = new LegacyCall({
        peer,
        call,
        onHeld(name) {
          park = name;
          parked.set(name, running);
        },
        onOver() {
          active.delete(running);
          if (park !== undefined) parked.delete(park);
          next();
        },
      });
      active.add(running);
      running.send({ options: callOptions, resolve, reject });
    });
  }

  function next(): void {
    const [first] = waiting;
    if (first === undefined || (exclusive && active.size > 0)) return;
    waiting.delete(first);
    first();
  }

  /** Resolves when no other call runs, or when the signal aborts: then the call itself sees to it. */
  function lease(signal: CancelSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        waiting.delete(go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      waiting.add(go);
      signal.addEventListener('abort', go, { once: true });
    });
  }

  async function leased(call: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    while (active.size > 0 && !callOptions.signal.aborted) await lease(callOptions.signal);
    return run(call, callOptions);
  }

  async function setResourceSubscriptions(uris: ReadonlySet<string>): Promise<void> {
    const resources = introduction.capabilities['resources'];
    if (!isJsonObject(resources) || resources['subscribe'] !== true) return;
    const added = [...uris].filter((uri) => !subscribed.has(uri));
    const removed = [...subscribed].filter((uri) => !uris.has(uri));
    for (const uri of added) subscribed.add(uri);
    for (const uri of removed) subscribed.delete(uri);
    const told = [
      ...added.map((uri) => request('resources/subscribe', { uri }, limits.listMs)),
      ...removed.map((uri) => request('resources/unsubscribe', { uri }, limits.listMs)),
    ];
    await Promise.allSettled(told);
  }

  return {
    era: 'legacy',
    introduction,
    request,
    call: (call, callOptions) => (exclusive && active.size > 0 ? leased(call, callOptions) : run(call, callOptions)),
    resume(call, callOptions) {
      const held = call.park === undefined ? undefined : parked.get(call.park);
      if (held === undefined || !held.held || held.call.principal.id !== call.principal.id) {
        const message = 'the call that asked is over, call again without requestState';
        return Promise.resolve({ kind: 'error', error: { code: rpcCode.invalidParams, message } });
      }
      const responses = call.params['inputResponses'];
      return new Promise((resolve, reject) => {
        held.resume({ options: callOptions, resolve, reject }, isJsonObject(responses) ? responses : {});
      });
    },
    holds: (park) => park !== undefined && parked.has(park),
    setResourceSubscriptions,
    close: () => peer.close(),
  };
}
