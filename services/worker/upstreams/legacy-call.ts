import type { GatewayError } from '../../../shared/errors.ts';
import type { Call, CallNotification } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type {
  JsonRpcFailure,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResult,
  RequestId,
} from '../../../shared/mcp/json-rpc.ts';
import type { Membership } from '../../../shared/short-lived.ts';
import { abortError } from './abort.ts';
import type { HeldCalls } from './held-calls.ts';
import type { LateTasks } from './late-tasks.ts';
import { blame, legacyAnswer, legacyParams } from './legacy-answers.ts';
import { limits } from './limits.ts';
import { forCall, progressFor } from './notifications.ts';
import type { Peer, Waiter } from './peer.ts';
import { inputRequest, nameOfQuestion, type Question, readAnswer, whyNotAskable } from './questions.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

export interface LegacyCallOptions {
  readonly peer: Peer;
  readonly call: Call;
  readonly held: HeldCalls;
  /** The server runs this tool as a task only (2025-11-25, basic/utilities/tasks); the call waits for its end. */
  readonly asTask: boolean;
  /** Where it is waited for the task of a call that was given up. */
  readonly late: LateTasks;
  /** Asks the server to end a task that nobody waits for. */
  cancelTask(taskId: string): void;
  /** The upstream is done with it: it answered, or it was told that nobody waits (`gaveUp`). */
  onDone(how: 'answered' | 'gaveUp'): void;
}

type Ending = { readonly answer: UpstreamAnswer } | { readonly error: GatewayError };

/** Whoever waits for this call just now: the original caller, then whoever resumes it. */
interface Caller {
  readonly options: UpstreamCallOptions;
  readonly resolve: (answer: UpstreamAnswer) => void;
  readonly reject: (error: GatewayError) => void;
}

const heldNotifications = 64;

/**
 * One call of a legacy upstream. When the upstream asks something, the caller gets `input_required` and the call is held open, without a caller,
 * until it is resumed with the answers or its time is over.
 */
export class LegacyCall implements Waiter {
  readonly startedAt = performance.now();
  /** While the server works on it; the lease keeps it here. */
  running: Membership | undefined;
  private current: Call;
  private readonly peer: Peer;
  private readonly hooks: LegacyCallOptions;
  private readonly questions = new Map<string, Question>();
  private readonly heldBack: CallNotification[] = [];
  private park: string | undefined;
  private caller: Caller | undefined;
  private ending: Ending | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private gathering: NodeJS.Timeout | undefined;
  private task: string | undefined;
  /** Capabilities that the server asked for and the agent does not have. */
  private lacking: JsonObject | undefined;
  private done = false;
  private asked = 0;
  private askedAt = 0;
  private id = 0;

  constructor(options: LegacyCallOptions) {
    this.hooks = options;
    this.peer = options.peer;
    this.current = options.call;
  }

  /** As its agent made it last: a retry may come with other capabilities. */
  get call(): Call {
    return this.current;
  }

  /** The upstream is busy with it no more. */
  get isDone(): boolean {
    return this.done;
  }

  get hasAsked(): boolean {
    return this.asked > 0;
  }

  /** It has waited so long for an answer that it asks nothing else: questions that a server asks side by side come together. */
  get isWaiting(): boolean {
    return this.questions.size > 0 && performance.now() - this.askedAt > limits.sideBySideMs;
  }

  send(caller: Caller): void {
    this.attach(caller);
    if (this.caller === undefined) return;
    const { call } = this;
    const params = legacyParams(call.params);
    this.request(call.method, this.hooks.asTask ? { ...params, task: {} } : params);
  }

  /** Sends the agent's answers to the upstream and waits on. */
  resume(call: Call, caller: Caller, inputResponses: JsonObject): void {
    this.current = call;
    this.park = undefined;
    clearTimeout(this.expiry);
    this.attach(caller);
    if (this.caller === undefined) return;
    for (const notification of this.heldBack.splice(0)) caller.options.onNotification(notification);
    if (this.ending !== undefined) {
      this.end(this.ending);
      return;
    }
    for (const [key, question] of this.questions) {
      const answer = Object.hasOwn(inputResponses, key) ? readAnswer(question, inputResponses[key]) : undefined;
      if (answer === undefined) continue;
      this.questions.delete(key);
      if ('result' in answer) this.peer.respond(question.id, answer.result);
      else this.peer.refuse(question.id, answer.error.message, answer.error.code);
    }
    // What was not answered, or was asked meanwhile, goes out again.
    if (this.questions.size > 0) this.gather();
  }

  ask(request: JsonRpcRequest): void {
    this.asked += 1;
    this.askedAt = performance.now();
    const lacking = whyNotAskable(request, this.call.agent.capabilities);
    if (lacking !== undefined) {
      this.lacking = { ...this.lacking, ...lacking.requires };
      this.peer.refuse(request.id, lacking.why);
      return;
    }
    const name = nameOfQuestion(request);
    const key = name === undefined || this.questions.has(name) ? `q${this.asked}` : name;
    this.questions.set(key, { id: request.id, method: request.method, params: request.params });
    if (this.caller !== undefined) this.gather();
  }

  /** The upstream takes a question back. True when it was one of ours. */
  withdraw(id: RequestId): boolean {
    for (const [key, question] of this.questions) {
      if (question.id === id) return this.questions.delete(key);
    }
    return false;
  }

  /** The upstream does its work as a task whose name it has not told yet. */
  get awaitsTask(): boolean {
    return this.hooks.asTask && this.task === undefined && !this.done;
  }

  /** True for the call that this task of the upstream does the work of. */
  runsAs(task: string): boolean {
    return this.task === task;
  }

  onNotification(notification: JsonRpcNotification): void {
    const delivered = forCall(notification, this.call);
    if (delivered !== undefined) this.deliver(delivered);
  }

  onProgress(params: JsonObject): void {
    if (this.call.wantsProgress) this.deliver(progressFor(params));
  }

  onAnswer(answer: JsonRpcResult | JsonRpcFailure, bytes: Buffer | undefined): void {
    const task = this.hooks.asTask && this.task === undefined && 'result' in answer ? taskIn(answer.result) : undefined;
    if (task === undefined) {
      this.end({ answer: blame(legacyAnswer(answer, bytes, this.call), this.call, this.lacking) });
      return;
    }
    this.task = task;
    this.request('tasks/result', { taskId: task });
  }

  onLost(error: GatewayError): void {
    this.end({ error });
  }

  private request(method: string, params: JsonObject): void {
    this.id = this.peer.mintId();
    this.peer.send(this.id, method, this.call.wantsProgress ? withToken(params, this.id) : params, this);
  }

  private deliver(notification: CallNotification): void {
    if (this.caller !== undefined) this.caller.options.onNotification(notification);
    else if (this.heldBack.length < heldNotifications) this.heldBack.push(notification);
  }

  private attach(caller: Caller): void {
    const { signal } = caller.options;
    this.caller = caller;
    if (signal.aborted) {
      this.onAbort();
      return;
    }
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  private detach(): Caller | undefined {
    const { caller } = this;
    caller?.options.signal.removeEventListener('abort', this.onAbort);
    this.caller = undefined;
    clearTimeout(this.gathering);
    this.gathering = undefined;
    return caller;
  }

  private readonly onAbort = (): void => {
    const executed = this.id === 0 ? 'no' : 'unknown';
    const caller = this.detach();
    this.cancel();
    if (caller !== undefined) caller.reject(abortError(caller.options.signal, executed));
  };

  /** Its agent has left for good. */
  abandon(): void {
    if (this.caller === undefined) this.cancel();
  }

  /** Nobody waits any more, and nobody will. */
  private cancel(): void {
    if (this.park !== undefined) this.hooks.held.drop(this.park);
    clearTimeout(this.expiry);
    if (this.id !== 0 && this.ending === undefined) {
      this.tellUpstream();
    }
    this.finish('gaveUp');
  }

  /** 2025-11-25, basic/utilities/cancellation: what is done as a task is cancelled by `tasks/cancel`, and by nothing else. */
  private tellUpstream(): void {
    const { peer, id, task, hooks } = this;
    if (this.awaitsTask) {
      hooks.late.expect(id, { taskIn, cancel: hooks.cancelTask });
      return;
    }
    if (task === undefined) peer.notify('notifications/cancelled', { requestId: id });
    else hooks.cancelTask(task);
    peer.forget(id);
  }

  private finish(how: 'answered' | 'gaveUp'): void {
    if (this.done) return;
    this.done = true;
    this.questions.clear();
    this.hooks.onDone(how);
  }

  /** Questions that come together are handed on together. */
  private gather(): void {
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      if (this.questions.size > 0) this.hold();
    }, limits.questionGatherMs);
  }

  private hold(): void {
    const caller = this.detach();
    if (caller === undefined) return;
    const park = this.hooks.held.hold(this);
    this.park = park;
    this.expiry = setTimeout(() => this.cancel(), this.call.timeoutMs).unref();
    const inputRequests: JsonObject = {};
    for (const [key, question] of this.questions) inputRequests[key] = inputRequest(question, this.call.agent);
    caller.resolve({
      kind: 'result',
      resultType: 'input_required',
      result: { resultType: 'input_required', inputRequests },
      park,
    });
  }

  private end(ending: Ending): void {
    const caller = this.detach();
    this.ending = ending;
    this.finish('answered');
    // Held: whoever resumes gets it, until the time is over.
    if (caller === undefined) return;
    if ('answer' in ending) caller.resolve(ending.answer);
    else caller.reject(ending.error);
  }
}

function withToken(params: JsonObject, token: number): JsonObject {
  const meta = params['_meta'];
  return { ...params, _meta: { ...(isJsonObject(meta) && meta), progressToken: token } };
}

function taskIn(result: JsonObject): string | undefined {
  const { task } = result;
  return isJsonObject(task) && typeof task['taskId'] === 'string' ? task['taskId'] : undefined;
}
