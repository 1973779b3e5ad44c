import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import {
  type JsonRpcFailure,
  type JsonRpcNotification,
  type JsonRpcResult,
  rpcCode,
} from '../../../shared/mcp/json-rpc.ts';
import type { HeaderParam } from '../../../shared/mcp/mcp-headers.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { hasTasks, takesTasks, tasksRequired } from '../../../shared/mcp/tasks.ts';
import { type Membership, ShortLivedSet } from '../../../shared/short-lived.ts';
import { abortError } from './abort.ts';
import { createLateTasks, LateTask } from './late-tasks.ts';
import { limits } from './limits.ts';
import { createListener } from './listen.ts';
import { addParamHeaders, modernHeaders, modernParams } from './modern-request.ts';
import { changedList, forCall, progressFor } from './notifications.ts';
import type { Outcome, Peer, Waiter } from './peer.ts';
import { resultText } from './result-text.ts';
import type { Introduction, Session, SessionEvents } from './session.ts';
import { createTaskFollower } from './task-follower.ts';
import { callWithoutTasks, cancelTask, taskIn } from './task-runner.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

export interface ModernSessionOptions {
  readonly peer: Peer;
  readonly introduction: Introduction;
  /** `http`: headers mirror the body, and an ended request is a cancelled one. `stdio`: neither. */
  readonly transport: 'http' | 'stdio';
  /** How toolbus names itself to servers. */
  readonly gateway: JsonObject;
  readonly events: SessionEvents;
  /** The arguments of a tool that are mirrored into headers. */
  headerParams(tool: string): readonly HeaderParam[];
  /** Lists the tools again, because the server says that the headers do not fit its schema. */
  refreshTools(): Promise<void>;
  onClosed(error: GatewayError): void;
  /** The change stream could not be opened because nobody is there. */
  onUnreachable(error: GatewayError): void;
}

/** A conversation in 2026-07-28: every request stands for itself, there is nothing to set up. */
export function openModernSession(options: ModernSessionOptions): Session {
  const { peer, introduction, transport, gateway, events } = options;
  const { protocolVersion } = introduction;
  const running = new ShortLivedSet<ModernCall>();
  const envelope: JsonObject = {
    [metaKey.protocolVersion]: protocolVersion,
    [metaKey.clientCapabilities]: {},
    [metaKey.clientInfo]: gateway,
  };
  const taskEnvelope: JsonObject = {
    ...envelope,
    [metaKey.clientCapabilities]: tasksRequired,
  };
  const headersOf = (method: string, params: JsonObject) =>
    transport === 'http' ? modernHeaders(method, params, protocolVersion) : undefined;

  const cancel = (id: number) => {
    if (transport === 'stdio') peer.notify('notifications/cancelled', { requestId: id });
    peer.forget(id);
  };

  const late = createLateTasks(peer, transport === 'http' ? limits.lateHttpTaskMs : limits.lateTaskMs);
  const giveUp = (id: number, call: Call) => {
    // Over HTTP the request is kept open, and its cancellation put off, only where it may be answered with a task.
    const mayBeTask = transport === 'stdio' || (hasTasks(introduction.capabilities) && takesTasks(call.agent));
    if (call.method !== 'tools/call' || !mayBeTask) return cancel(id);
    if (transport === 'stdio') peer.notify('notifications/cancelled', { requestId: id });
    const bare: Call = { ...call, params: {}, headers: {} };
    late.expect(id, { taskIn, cancel: (taskId) => cancelTask(taskId, bare, plain) });
  };

  const listener = createListener({
    introduction,
    onMissedChanges: (kind) => events.onListChanged(kind),
    onMissedTasks: () => follower.missed(),
    onUnreachable: options.onUnreachable,
    open: (notifications, waiter) => {
      const id = peer.mintId();
      const params = { notifications, _meta: 'taskIds' in notifications ? taskEnvelope : envelope };
      peer.send(id, 'subscriptions/listen', params, waiter, headersOf('subscriptions/listen', params));
      return { id, close: () => cancel(id) };
    },
  });

  const ownRequest = (method: string, params: JsonObject, timeoutMs: number, meta: JsonObject): Promise<Outcome> => {
    const own = params['_meta'];
    const full = { ...params, _meta: { ...(isJsonObject(own) && own), ...meta } };
    const headers = headersOf(method, params);
    return peer.request(method, full, { timeoutMs, ...(headers !== undefined && { headers }) });
  };

  const follower = createTaskFollower({
    ask: (taskId) => ownRequest('tasks/get', { taskId }, limits.taskMs, taskEnvelope),
    listen: (taskIds) => listener.setTasks(taskIds),
    told: () => listener.toldTasks(),
    onChanged: (taskId) => events.onTaskChanged(taskId),
  });

  peer.listen({
    // 2026-07-28 has no requests from server to client.
    onRequest: (request) => peer.refuse(request.id),
    onNotification(notification, origin) {
      const { method, params = {} } = notification;
      const kind = changedList(method);
      if (kind !== undefined) return events.onListChanged(kind);
      if (method === 'notifications/resources/updated') return events.onResourceUpdated(withoutSubscription(params));
      if (method === 'notifications/tasks') return follower.notified(params);
      if (method === 'notifications/subscriptions/acknowledged') return listener.acknowledged(params, origin);
      if (origin instanceof LateTask) return;
      const call = origin instanceof ModernCall ? origin : running.size === 1 ? running.oldest : undefined;
      call?.onNotification(notification);
    },
    onClosed(error) {
      follower.close();
      listener.close();
      options.onClosed(error);
    },
  });
  listener.start();

  class ModernCall implements Waiter {
    private readonly call: Call;
    private readonly options: UpstreamCallOptions;
    private readonly resolve: (answer: UpstreamAnswer) => void;
    private readonly reject: (error: GatewayError) => void;
    private id = 0;
    private running: Membership | undefined;
    private refreshed = false;

    constructor(
      call: Call,
      callOptions: UpstreamCallOptions,
      resolve: (answer: UpstreamAnswer) => void,
      reject: (error: GatewayError) => void,
    ) {
      this.call = call;
      this.options = callOptions;
      this.resolve = resolve;
      this.reject = reject;
    }

    start(): void {
      if (this.options.signal.aborted) {
        this.reject(abortError(this.options.signal, 'no'));
        return;
      }
      this.running = running.add(this);
      this.options.signal.addEventListener('abort', this.onAbort, { once: true });
      this.send();
    }

    send(): void {
      const { call } = this;
      this.id = peer.mintId();
      const params = modernParams(call, this.id, protocolVersion, gateway);
      const headers = headersOf(call.method, call.params);
      if (headers !== undefined) {
        const tool = call.method === 'tools/call' ? call.params['name'] : undefined;
        addParamHeaders(headers, call, typeof tool === 'string' ? options.headerParams(tool) : []);
      }
      peer.send(this.id, call.method, params, this, headers);
    }

    onNotification(notification: JsonRpcNotification): void {
      const delivered = forCall(notification, this.call);
      if (delivered !== undefined) this.options.onNotification(delivered);
    }

    onProgress(params: JsonObject): void {
      if (this.call.wantsProgress) this.options.onNotification(progressFor(params));
    }

    onAnswer(answer: JsonRpcResult | JsonRpcFailure, bytes: Buffer | undefined): void {
      if ('result' in answer) {
        this.settle(() => this.resolve(modernResult(answer, bytes)), answer.result);
        return;
      }
      const { error } = answer;
      const stale = error.code === rpcCode.headerMismatch && this.call.method === 'tools/call' && transport === 'http';
      if (stale && !this.refreshed) {
        this.refreshed = true;
        options.refreshTools().then(
          () => this.again(),
          () => this.settle(() => this.resolve({ kind: 'error', error })),
        );
        return;
      }
      this.settle(() => this.resolve({ kind: 'error', error }));
    }

    onLost(error: GatewayError): void {
      this.settle(() => this.reject(error));
    }

    private again(): void {
      if (this.running !== undefined) this.send();
    }

    private readonly onAbort = (): void => {
      this.settle(() => {
        giveUp(this.id, this.call);
        this.reject(abortError(this.options.signal, 'unknown'));
      });
    };

    private settle(tell: () => void, result?: JsonObject): void {
      if (this.running === undefined) return;
      this.running.remove();
      this.running = undefined;
      this.options.signal.removeEventListener('abort', this.onAbort);
      const type = result?.['resultType'];
      if (type !== undefined && (typeof type !== 'string' || type === '')) {
        this.reject(
          new GatewayError('bad_upstream_output', 'the upstream server answered with a resultType that is no name'),
        );
        return;
      }
      tell();
    }
  }

  const plain = (call: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> =>
    new Promise((resolve, reject) => new ModernCall(call, callOptions, resolve, reject).start());

  return {
    era: 'modern',
    introduction,
    // Only `tools/call` may be answered with a task (ext-tasks, "Supported Methods").
    call: (call, callOptions) =>
      call.method !== 'tools/call' || takesTasks(call.agent)
        ? plain(call, callOptions)
        : callWithoutTasks(call, callOptions, plain),
    request: (method, params, timeoutMs) => ownRequest(method, params, timeoutMs, envelope),
    setResourceSubscriptions: (uris) => listener.setResources(uris),
    setWatchedTasks: (taskIds) => follower.set(taskIds),
    async close() {
      follower.close();
      listener.close();
      await peer.close();
    },
  };
}

/** 2026-07-28, basic/index: a result without `resultType` is complete. Other kinds are passed on as they are. */
function modernResult(answer: JsonRpcResult, bytes: Buffer | undefined): UpstreamAnswer {
  const { result } = answer;
  const text = bytes === undefined ? undefined : resultText(bytes, answer);
  const type = result['resultType'];
  if (type === undefined) return { kind: 'result', resultType: 'complete', result, text };
  if (type !== 'complete') return { kind: 'result', resultType: String(type), result, text };
  delete result['resultType'];
  return { kind: 'result', resultType: 'complete', result, text };
}

function withoutSubscription(params: JsonObject): JsonObject {
  const meta = params['_meta'];
  if (!isJsonObject(meta)) return params;
  const { [metaKey.subscriptionId]: _ours, ...rest } = meta;
  const { _meta, ...others } = params;
  return Object.keys(rest).length === 0 ? others : { ...others, _meta: rest };
}
