import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { JsonRpcNotification, JsonRpcRequest, RpcError } from '../../../shared/mcp/json-rpc.ts';
import { isLegacyRevision, latestLegacy } from '../../../shared/mcp/revisions.ts';
import { CallLease } from './call-lease.ts';
import type { HeldCalls } from './held-calls.ts';
import { createLateTasks, LateTask } from './late-tasks.ts';
import { refusedUrls } from './legacy-answers.ts';
import { LegacyCall } from './legacy-call.ts';
import { limits } from './limits.ts';
import { changedList } from './notifications.ts';
import type { Outcome, Peer, Waiter } from './peer.ts';
import { bridgedCapabilities, questionMethods, relatedTask } from './questions.ts';
import type { Introduction, Session, SessionEvents } from './session.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

export interface LegacySessionOptions {
  readonly peer: Peer;
  /** How toolbus names itself to servers. */
  readonly gateway: JsonObject;
  readonly events: SessionEvents;
  /** Where calls wait for their agents' answers. */
  readonly held: HeldCalls;
  /** All calls share one channel (stdio, HTTP+SSE), so that the server's questions name no call. */
  readonly shared: boolean;
  /** The server runs this tool as a task only. */
  needsTask(tool: string): boolean;
  onClosed(error: GatewayError): void;
}

/** A session of the older revisions. A call may come back with a question; `HeldCalls` takes the answer. */
export interface LegacySession extends Session {
  /** Whether this call could start now, beside those that run. */
  admits(call: Call): boolean;
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
  const { peer, events, held } = options;
  const lease = new CallLease(peer, options.shared);
  const late = createLateTasks(peer, limits.lateTaskMs);
  /** Ids of tasks that nobody waits for, oldest first; what they still ask must reach no other agent. */
  const cancelled = new Set<string>();
  const subscribed = new Set<string>();
  const startedAt = performance.now();
  let hasListedRoots = false;

  peer.listen({
    onRequest,
    onNotification,
    onClosed(error) {
      lease.end();
      options.onClosed(error);
    },
  });
  peer.established(introduction.protocolVersion);
  peer.notify('notifications/initialized');
  if (isJsonObject(introduction.capabilities['logging'])) {
    // Once and for everybody: what an agent gets is decided for each message (`forCall`).
    request('logging/setLevel', { level: 'debug' }, limits.listMs).catch(() => {});
  }

  function request(method: string, params: JsonObject, timeoutMs: number): Promise<Outcome> {
    return peer.request(method, params, { timeoutMs });
  }

  /** The call that a message names by the stream it came on, or by its task. */
  function ownerOf(origin: Waiter | undefined, params: JsonObject | undefined): LegacyCall | undefined {
    if (origin instanceof LegacyCall) return origin;
    const task = relatedTask(params);
    return task === undefined ? undefined : lease.find((call) => call.runsAs(task));
  }

  /** True for what a call that was given up, or its task, still asks or tells: it must not reach the agent of another call. */
  function isAbandoned(origin: Waiter | undefined, params: JsonObject | undefined): boolean {
    if (origin instanceof LateTask) return true;
    const task = relatedTask(params);
    if (task === undefined) return false;
    // The name of a task may come after its first question.
    return cancelled.has(task) || lease.find((call) => call.awaitsTask) === undefined;
  }

  function cancelTask(taskId: string): void {
    cancelled.add(taskId);
    const [oldest] = cancelled;
    if (cancelled.size > limits.lateTasks && oldest !== undefined) cancelled.delete(oldest);
    request('tasks/cancel', { taskId }, limits.listMs).catch(() => {});
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
    const owner = ownerOf(origin, asked.params);
    if (owner !== undefined) owner.ask(asked);
    else if (isAbandoned(origin, asked.params)) peer.refuse(asked.id, 'nobody waits for this any more');
    else if (asked.method === 'roots/list' && isServersOwn()) peer.respond(asked.id, { roots: [] });
    else lease.question(asked);
  }

  /** Servers list roots when they start, for nobody in particular and to keep: one agent's roots must not become everybody's. */
  function isServersOwn(): boolean {
    const starting = !hasListedRoots && performance.now() - startedAt < limits.startupMs;
    hasListedRoots = true;
    return starting || lease.isIdle;
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
      if (typeof id !== 'string' && typeof id !== 'number') return;
      if (!lease.withdraw(id)) lease.find((call) => call.withdraw(id));
      return;
    }
    // What names no call is certain only while there is just one.
    const owner = ownerOf(origin, params);
    if (owner !== undefined) owner.onNotification(notification);
    else if (!isAbandoned(origin, params)) lease.sole?.onNotification(notification);
  }

  function run(call: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      const running: LegacyCall = new LegacyCall({
        peer,
        call,
        held,
        late,
        cancelTask,
        asTask: call.method === 'tools/call' && call.target !== undefined && options.needsTask(call.target),
        onDone: (how) => lease.ended(running, how),
      });
      lease.started(running);
      running.send({ options: callOptions, resolve, reject });
    });
  }

  async function inTurn(call: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    await lease.enter(call, callOptions.signal);
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
    admits: (call) => lease.admits(call),
    call(call, callOptions) {
      const refused = refusedUrls(call);
      if (refused !== undefined) return Promise.resolve(refused);
      return lease.admits(call) ? run(call, callOptions) : inTurn(call, callOptions);
    },
    setResourceSubscriptions,
    setWatchedTasks: async () => {},
    close: () => peer.close(),
  };
}
