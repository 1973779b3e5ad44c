import type { CancelSignal } from '../../../shared/cancellation.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { type JsonRpcRequest, type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { ShortLivedSet } from '../../../shared/short-lived.ts';
import type { LegacyCall } from './legacy-call.ts';
import { limits } from './limits.ts';
import type { Peer } from './peer.ts';

/** A question that names no call, and those that were running when it came. */
interface Unclaimed {
  readonly request: JsonRpcRequest;
  readonly candidates: Set<LegacyCall>;
  readonly timer: NodeJS.Timeout;
}

type Habit = 'quiet' | 'asks';

/**
 * Who may run beside whom where a server's questions name no call (SEP-2260), and whose a question is.
 *
 * Whoever asks waits for the answer. So a question belongs to the only call that runs, or to the one that is left when the others have
 * ended; until that is clear no other call starts. Calls that have asked before start one at a time, each when the last one waits or has ended; what
 * was never called before gets a moment to show whether it asks. Where it stays open whose a question is, nobody is asked: never an agent for another one's call.
 */
export class CallLease {
  private readonly running = new ShortLivedSet<LegacyCall>();
  private readonly habits = new Map<string, Habit>();
  private readonly waiting = new Set<() => void>();
  private readonly peer: Peer;
  private readonly shared: boolean;
  private readonly unclaimed: Unclaimed[] = [];
  /** Calls that were given up, and that the server may not have heard of yet. */
  private parting = 0;

  /** `shared`: all calls are on one channel. Otherwise each has a stream of its own, and most questions come on it. */
  constructor(peer: Peer, shared: boolean) {
    this.peer = peer;
    this.shared = shared;
  }

  /** The only call that runs. */
  get sole(): LegacyCall | undefined {
    return this.running.size === 1 ? this.running.oldest : undefined;
  }

  get isIdle(): boolean {
    return this.running.size === 0;
  }

  find(is: (call: LegacyCall) => boolean): LegacyCall | undefined {
    for (const call of this.running.values()) if (is(call)) return call;
    return undefined;
  }

  /** Whether this call could start now. */
  admits(call: Call): boolean {
    if (this.running.size === 0) return true;
    if (this.unclaimed.length > 0) return false;
    const habit = this.habits.get(habitKey(call));
    const isNew = this.shared && habit === undefined && isAskable(call);
    if (habit !== 'asks' && !isNew) return true;
    const now = performance.now();
    for (const other of this.running.values()) {
      if (other.isWaiting) continue;
      const known = this.habits.get(habitKey(other.call));
      if (known === 'asks' && habit === 'asks') return false;
      const mayAsk = known === 'asks' || (known === undefined && isAskable(other.call));
      if (mayAsk && now - other.startedAt < limits.leaseTrialMs) return false;
    }
    return true;
  }

  /** Resolves when the call may start, or when the signal aborts: then the call itself sees to it. */
  async enter(call: Call, signal: CancelSignal): Promise<void> {
    while (!signal.aborted && !this.admits(call)) await this.change(signal);
  }

  started(call: LegacyCall): void {
    call.running = this.running.add(call);
  }

  ended(call: LegacyCall, how: 'answered' | 'gaveUp'): void {
    if (!call.running?.remove()) return;
    if (how === 'answered' && !call.hasAsked) this.learn(call.call, 'quiet');
    for (const one of [...this.unclaimed]) {
      // Who was given up may have asked, and waits no longer.
      if (one.candidates.delete(call) && how === 'gaveUp') this.refuse(one);
    }
    if (how === 'gaveUp' && this.shared) this.part();
    this.settle();
    this.wakeAll();
  }

  /** A question that came on no call's own stream. */
  question(request: JsonRpcRequest): void {
    const one: Unclaimed = {
      request,
      candidates: this.candidates(),
      timer: setTimeout(() => this.refuse(one), limits.unclaimedMs),
    };
    this.unclaimed.push(one);
    if (this.parting > 0) this.refuse(one);
    else this.settle();
  }

  /** What the server asked before it read that a call was given up is here when it answers what it was sent after that. */
  private part(): void {
    this.parting += 1;
    this.peer
      .request('ping', {}, { timeoutMs: limits.partingMs })
      .catch(() => {})
      .finally(() => {
        this.parting -= 1;
      });
  }

  /** Who waits for an answer asks nothing else meanwhile. */
  private candidates(): Set<LegacyCall> {
    const all = this.running.values();
    const free = all.filter((call) => !call.isWaiting);
    return new Set(free.length > 0 ? free : all);
  }

  /** The server takes back a question that nobody was asked yet. */
  withdraw(id: RequestId): boolean {
    const found = this.unclaimed.find(({ request }) => request.id === id);
    if (found !== undefined) this.close(found);
    return found !== undefined;
  }

  /** The connection is over. */
  end(): void {
    for (const one of [...this.unclaimed]) this.close(one);
  }

  private settle(): void {
    for (const one of [...this.unclaimed]) {
      const [call] = one.candidates;
      if (call === undefined) this.refuse(one);
      if (call === undefined || one.candidates.size > 1) continue;
      this.close(one);
      this.learn(call.call, 'asks');
      call.ask(one.request);
    }
  }

  private close(one: Unclaimed): void {
    clearTimeout(one.timer);
    const at = this.unclaimed.indexOf(one);
    if (at !== -1) this.unclaimed.splice(at, 1);
    this.wakeAll();
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake();
  }

  private refuse(one: Unclaimed): void {
    const { request, candidates } = one;
    const suspects = [...candidates].filter((call) => this.habits.get(habitKey(call.call)) !== 'quiet');
    for (const { call } of suspects.length > 0 ? suspects : candidates) this.learn(call, 'asks');
    this.peer.refuse(request.id, 'the question belongs to no call', rpcCode.invalidRequest);
    this.close(one);
  }

  private learn(call: Call, habit: Habit): void {
    const key = habitKey(call);
    const known = this.habits.get(key);
    if (known === habit || known === 'asks') return;
    // Names come from outside: rather learn anew than grow for ever.
    if (this.habits.size >= limits.listItems) this.habits.clear();
    this.habits.set(key, habit);
  }

  /** Resolves when a call has ended, when a trial is over, or when the signal aborts. */
  private change(signal: CancelSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, limits.leaseTrialMs);
      this.waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** What asks is a tool or a prompt; resources are too many to tell apart. */
function habitKey({ method, target }: Call): string {
  return method === 'tools/call' || method === 'prompts/get' ? `${method} ${target ?? ''}` : method;
}

function isAskable({ agent: { capabilities } }: Call): boolean {
  return (
    capabilities['elicitation'] !== undefined ||
    capabilities['sampling'] !== undefined ||
    capabilities['roots'] !== undefined
  );
}
