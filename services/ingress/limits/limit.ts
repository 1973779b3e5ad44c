import { createTokenBucket, type Rate, type TokenBucket } from './token-bucket.ts';

/** What is limited. */
export type LimitKind = 'global' | 'agent' | 'server' | 'tool' | 'agent_on_server';

/** What the configuration says of one limit. */
export interface Rule {
  readonly rate?: Rate | undefined;
  readonly concurrency?: number | undefined;
}

/** Why a limit has no room. */
export type Exhausted =
  | { readonly why: 'rate'; readonly retryAfterMs: number }
  | { readonly why: 'concurrency'; readonly retryAfterMs: number };

/** One limit, with what this ingress knows of its use everywhere. */
export interface Limit {
  /** The same at every ingress. */
  readonly key: string;
  readonly kind: LimitKind;
  /** Calls of this ingress in flight. */
  readonly inFlight: number;
  /** Undefined when there is room for one call more. */
  exhausted(now: number): Exhausted | undefined;
  take(now: number): void;
  leave(): void;
  /** Others have spent so many tokens. */
  spentElsewhere(now: number, tokens: number): void;
  /** Somebody knows that at least so many tokens are missing. */
  atLeastMissing(now: number, tokens: number): void;
  missing(now: number): number;
  /** Tokens left; undefined where nothing limits the rate. */
  level(now: number): number | undefined;
  /** Calls in flight that are allowed; undefined where nothing limits them. */
  readonly concurrency: number | undefined;
  /** What was counted stays counted. `parts`: this process may use one part in so many. */
  setRule(now: number, rule: Rule, parts: number): void;
  /** What has happened here since the last report; asking makes it reported. Undefined when nothing has. */
  report(): { readonly spent: number; readonly inFlight: number } | undefined;
  /** True when others should hear of it before the next regular report. */
  readonly isUrgent: boolean;
}

/** Concurrency says nothing of when a slot comes free; calls take tenths of seconds. */
const slotAgainMs = 500;
/** Others hear at once when more than this part of a limit has been used since they last heard. */
const urgentPart = 0.02;

/** `elsewhere` is how many calls other ingresses have in flight under a key. */
export function createLimit(
  kind: LimitKind,
  key: string,
  rule: Rule,
  now: number,
  parts: number,
  elsewhere: (key: string) => number,
): Limit {
  let bucket: TokenBucket | undefined;
  let concurrency: number | undefined;
  let urgentTokens = 1;
  let urgentSlots = 1;
  let inFlight = 0;
  let toldInFlight = 0;
  let untold = 0;
  setRule(now, rule, parts);

  function setRule(now: number, { rate, concurrency: slots }: Rule, parts: number): void {
    if (rate === undefined) bucket = undefined;
    else if (bucket === undefined) bucket = createTokenBucket(rate, now, parts);
    else bucket.setRate(now, rate, parts);
    concurrency = slots === undefined ? undefined : Math.max(1, Math.floor(slots / parts));
    urgentTokens = Math.max(1, Math.floor((rate?.burst ?? 0) * urgentPart));
    urgentSlots = Math.max(1, Math.floor((slots ?? 0) * urgentPart));
  }

  return {
    key,
    kind,
    get inFlight() {
      return inFlight;
    },
    get concurrency() {
      return concurrency;
    },
    exhausted(now) {
      const retryAfterMs = bucket?.waitMs(now) ?? 0;
      if (retryAfterMs > 0) return { why: 'rate', retryAfterMs };
      if (concurrency !== undefined && inFlight + elsewhere(key) >= concurrency)
        return { why: 'concurrency', retryAfterMs: slotAgainMs };
      return undefined;
    },
    take(now) {
      inFlight += 1;
      if (bucket === undefined) return;
      bucket.take(now, 1);
      untold += 1;
    },
    leave() {
      inFlight -= 1;
    },
    spentElsewhere: (now, tokens) => bucket?.take(now, tokens),
    atLeastMissing: (now, tokens) => bucket?.atLeastMissing(now, tokens),
    missing: (now) => bucket?.missing(now) ?? 0,
    level: (now) => bucket?.level(now),
    setRule,
    report() {
      const shown = concurrency === undefined ? 0 : inFlight;
      if (untold === 0 && shown === toldInFlight) return undefined;
      const told = { spent: untold, inFlight: shown };
      untold = 0;
      toldInFlight = shown;
      return told;
    },
    get isUrgent() {
      return untold >= urgentTokens || (concurrency !== undefined && Math.abs(inFlight - toldInFlight) >= urgentSlots);
    },
  };
}
