import { randomBytes } from 'node:crypto';
import type { GatewayError } from '../../../shared/errors.ts';
import type { Call, CallNotification } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import {
  type JsonRpcFailure,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResult,
  type RequestId,
  rpcCode,
} from '../../../shared/mcp/json-rpc.ts';
import { abortError } from './abort.ts';
import { limits } from './limits.ts';
import { forCall, progressFor } from './notifications.ts';
import type { Peer, Waiter } from './peer.ts';
import { inputRequest, type Question, readAnswer, whyNotAskable } from './questions.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

export interface LegacyCallOptions {
  readonly peer: Peer;
  readonly call: Call;
  /** The call waits for the agent's answers under this name. */
  onHeld(park: string): void;
  /** The upstream is done with it, and so are we. */
  onOver(): void;
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
  readonly call: Call;
  private readonly peer: Peer;
  private readonly hooks: LegacyCallOptions;
  private readonly questions = new Map<string, Question>();
  private readonly heldBack: CallNotification[] = [];
  private park: string | undefined;
  private caller: Caller | undefined;
  private ending: Ending | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private gathering: NodeJS.Timeout | undefined;
  private asked = 0;
  private id = 0;

  constructor(options: LegacyCallOptions) {
    this.hooks = options;
    this.peer = options.peer;
    this.call = options.call;
  }

  /** Nobody waits for it: it can be resumed. */
  get held(): boolean {
    return this.park !== undefined && this.caller === undefined;
  }

  send(caller: Caller): void {
    this.attach(caller);
    if (this.caller === undefined) return;
    const { call } = this;
    this.id = this.peer.mintId();
    this.peer.send(this.id, call.method, call.wantsProgress ? withToken(call.params, this.id) : call.params, this);
  }

  /** Sends the agent's answers to the upstream and waits on. */
  resume(caller: Caller, inputResponses: JsonObject): void {
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
    const why = whyNotAskable(request, this.call.agent.capabilities);
    if (why !== undefined) {
      this.peer.refuse(request.id, why);
      return;
    }
    this.asked += 1;
    this.questions.set(`q${this.asked}`, { id: request.id, method: request.method, params: request.params });
    if (this.caller !== undefined) this.gather();
  }

  /** The upstream takes a question back. True when it was one of ours. */
  withdraw(id: RequestId): boolean {
    for (const [key, question] of this.questions) {
      if (question.id === id) return this.questions.delete(key);
    }
    return false;
  }

  onNotification(notification: JsonRpcNotification): void {
    const delivered = forCall(notification, this.call);
    if (delivered !== undefined) this.deliver(delivered);
  }

  onProgress(params: JsonObject): void {
    if (this.call.wantsProgress) this.deliver(progressFor(params));
  }

  onAnswer(answer: JsonRpcResult | JsonRpcFailure): void {
    this.end({ answer: 'result' in answer ? legacyResult(answer.result) : legacyError(answer) });
  }

  onLost(error: GatewayError): void {
    this.end({ error });
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

  private cancel(): void {
    if (this.id !== 0 && this.ending === undefined) {
      this.peer.notify('notifications/cancelled', { requestId: this.id });
      this.peer.forget(this.id);
    }
    this.over();
  }

  private over(): void {
    clearTimeout(this.expiry);
    this.questions.clear();
    this.hooks.onOver();
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
    const park = this.park ?? randomBytes(12).toString('base64url');
    this.park = park;
    this.hooks.onHeld(park);
    this.expiry = setTimeout(() => this.cancel(), this.call.timeoutMs).unref();
    const inputRequests: JsonObject = {};
    for (const [key, question] of this.questions) inputRequests[key] = inputRequest(question);
    caller.resolve({
      kind: 'result',
      resultType: 'input_required',
      result: { resultType: 'input_required', inputRequests },
      park,
    });
  }

  private end(ending: Ending): void {
    const caller = this.detach();
    this.questions.clear();
    // Held: whoever resumes gets it, until the time is over.
    if (caller === undefined) {
      this.ending = ending;
      return;
    }
    this.over();
    if ('answer' in ending) caller.resolve(ending.answer);
    else caller.reject(ending.error);
  }
}

function withToken(params: JsonObject, token: number): JsonObject {
  const meta = params['_meta'];
  return { ...params, _meta: { ...(isJsonObject(meta) && meta), progressToken: token } };
}

/** A legacy server may not speak modern vocabulary: its result is complete, whatever it calls itself. */
function legacyResult(result: JsonObject): UpstreamAnswer {
  if (result['resultType'] !== undefined) delete result['resultType'];
  return { kind: 'result', resultType: 'complete', result };
}

function legacyError({ error }: JsonRpcFailure): UpstreamAnswer {
  if (error.code !== rpcCode.legacyResourceNotFound) return { kind: 'error', error };
  return { kind: 'error', error: { ...error, code: rpcCode.invalidParams } };
}
