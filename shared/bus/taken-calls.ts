import { type Cancellation, createCancellation } from '../cancellation.ts';
import type { Call } from '../mcp/call.ts';
import { ShortLivedMap } from '../short-lived.ts';
import type { Offer } from './frames.ts';
import { busLimits } from './limits.ts';
import { type Credit, createCredit } from './send-result.ts';

/** One call that a worker took, or may take: waiting (no slot yet) → reserved (waits for `go`) → running → gone. */
export interface TakenCall {
  readonly key: string;
  readonly ingress: string;
  readonly call: Call;
  /** The offer as it came, and what its `go` must prove. */
  readonly offer: Uint8Array;
  readonly challenge: string;
  readonly abort: Cancellation;
  state: 'waiting' | 'reserved' | 'running';
  /** End of the wait, of the reservation, then the deadline; by `performance.now()`. */
  until: number;
  readonly hardCap: number;
  parts: Uint8Array[];
  readonly partsWanted: number;
  readonly credit: Credit;
  startedAt: number;
}

/** The calls of one worker process. A key is counted by each ingress for itself, so both together name a call. */
export interface TakenCalls extends Iterable<TakenCall> {
  /** Calls that hold a slot: reserved or running. */
  readonly holding: number;
  readonly size: number;
  get(ingress: string, key: string): TakenCall | undefined;
  has(entry: TakenCall): boolean;
  add(offer: Offer, bytes: Uint8Array, call: Call, state: 'waiting' | 'reserved'): TakenCall;
  /** The call got its slot. */
  reserve(entry: TakenCall): void;
  /** False when it was gone already. */
  remove(entry: TakenCall): boolean;
  /** The one that waits longest for a slot. */
  firstWaiting(): TakenCall | undefined;
  readonly waiting: number;
  /** Slots by the agent that has them. */
  holders(): ReadonlyMap<string, number>;
  runningOf(ingress: string): string[];
  ingresses(): ReadonlySet<string>;
}

export function createTakenCalls(): TakenCalls {
  const calls = new ShortLivedMap<string, TakenCall>();
  const line = new ShortLivedMap<string, TakenCall>();
  /** Unique in this process, whose own id is proved as well. */
  let challenges = 0;
  const nameOf = (ingress: string, key: string) => `${ingress}.${key}`;

  return {
    get holding() {
      return calls.size - line.size;
    },
    get size() {
      return calls.size;
    },
    get waiting() {
      return line.size;
    },
    [Symbol.iterator]: () => calls.values(),
    get: (ingress, key) => calls.get(nameOf(ingress, key)),
    has: (entry) => calls.get(nameOf(entry.ingress, entry.key)) === entry,
    add({ ingress, key, parts = 0 }, bytes, call, state) {
      challenges += 1;
      const now = performance.now();
      const entry: TakenCall = {
        key,
        ingress,
        call,
        offer: bytes,
        challenge: challenges.toString(36),
        abort: createCancellation(),
        state,
        until: now + (state === 'waiting' ? busLimits.lineMs : busLimits.reservationMs),
        hardCap: now + busLimits.hardCapMs,
        parts: [],
        partsWanted: parts,
        credit: createCredit(busLimits.creditParts),
        startedAt: now,
      };
      calls.set(nameOf(ingress, key), entry);
      if (state === 'waiting') line.set(nameOf(ingress, key), entry);
      return entry;
    },
    reserve(entry) {
      line.delete(nameOf(entry.ingress, entry.key));
      entry.state = 'reserved';
      entry.until = performance.now() + busLimits.reservationMs;
    },
    remove(entry) {
      const name = nameOf(entry.ingress, entry.key);
      line.delete(name);
      return calls.delete(name);
    },
    firstWaiting() {
      const [first] = line.values();
      return first;
    },
    holders() {
      const slots = new Map<string, number>();
      for (const { call, state } of calls.values())
        if (state !== 'waiting') slots.set(call.principal.id, (slots.get(call.principal.id) ?? 0) + 1);
      return slots;
    },
    runningOf(ingress) {
      const keys: string[] = [];
      for (const entry of calls.values()) {
        if (entry.ingress === ingress && entry.state === 'running') keys.push(entry.key);
      }
      return keys;
    },
    ingresses() {
      const names = new Set<string>();
      for (const entry of calls.values()) names.add(entry.ingress);
      return names;
    },
  };
}
