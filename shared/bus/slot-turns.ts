/**
 * Whose turn a free slot of a worker is, when several ingresses want one. The turns are those of agents: an ingress whose offer was refused
 * is written down with the agent of that call, and a slot that comes free is promised to the agent that holds the fewest slots here, through
 * whatever ingresses; among equals to the one that waits longest. A promised slot is kept for a moment from everybody else: the ingress
 * whose call ended is always nearer.
 */
export interface SlotTurns {
  /** So many calls of this agent wait at this ingress. */
  wants(ingress: string, agent: string, calls: number): void;
  /** Promises a free slot; `held` are the slots that agents have now. Undefined when nobody waits. */
  next(held: ReadonlyMap<string, number>): Turn | undefined;
  /** Slots that are free and for others. */
  keptFrom(ingress: string, agent: string): number;
  /** It came for its slot, or does not need it. False when none was promised. */
  came(ingress: string, agent: string): boolean;
  /** True when another ingress waits. */
  othersWait(ingress: string): boolean;
  readonly anyWait: boolean;
  /** Forgets promises that nobody came for and returns how many; also who has waited so long that it must be gone. */
  expire(): number;
}

/** Whose turn it is. */
export interface Turn {
  readonly ingress: string;
  readonly agent: string;
}

interface Claim extends Turn {
  calls: number;
  until: number;
}

/** Long enough for a word there and an offer back, also between busy processes. Milliseconds. */
const keptMs = 250;
/** An ingress that still waits says so more often. Milliseconds. */
const claimMs = 2_500;
/** Names come from outside. */
const maxClaims = 2_000;
const maxNameLength = 1_000;
const maxCalls = 2_000;

export function createSlotTurns(now: () => number = () => performance.now()): SlotTurns {
  /** In the order in which they wait. */
  const claims = new Map<string, Claim>();
  const promises: (Turn & { readonly until: number })[] = [];
  /** Ingresses that let a promise lapse and have said nothing since: dead, most likely. */
  const silent = new Set<string>();
  const nameOf = (ingress: string, agent: string) => `${ingress.length}.${ingress}.${agent}`;

  function promisedTo(agent: string): number {
    let count = 0;
    for (const promise of promises) if (promise.agent === agent) count += 1;
    return count;
  }

  /** The agent had its turn: its claims wait behind all others, and the one that was served behind its others. */
  function served(turn: Claim): void {
    if (claims.size === 1) return;
    const others = [...claims.values()].filter((claim) => claim.agent === turn.agent && claim !== turn);
    for (const claim of turn.calls > 0 ? [...others, turn] : others) {
      const name = nameOf(claim.ingress, claim.agent);
      claims.delete(name);
      claims.set(name, claim);
    }
  }

  return {
    wants(ingress, agent, calls) {
      silent.delete(ingress);
      if (agent.length > maxNameLength || ingress.length > maxNameLength) return;
      const name = nameOf(ingress, agent);
      const claim = claims.get(name);
      const until = now() + claimMs;
      const wanted = Math.min(calls, maxCalls);
      if (claim !== undefined) {
        claim.calls = wanted;
        claim.until = until;
      } else if (claims.size < maxClaims) claims.set(name, { ingress, agent, calls: wanted, until });
    },
    next(held) {
      let chosen: Claim | undefined;
      let fewest = Number.POSITIVE_INFINITY;
      for (const claim of claims.values()) {
        if (silent.has(claim.ingress)) continue;
        const slots = (held.get(claim.agent) ?? 0) + promisedTo(claim.agent);
        if (slots >= fewest) continue;
        chosen = claim;
        fewest = slots;
        if (slots === 0) break;
      }
      if (chosen === undefined) return undefined;
      const { ingress, agent } = chosen;
      chosen.calls -= 1;
      if (chosen.calls <= 0) claims.delete(nameOf(ingress, agent));
      served(chosen);
      promises.push({ ingress, agent, until: now() + keptMs });
      return { ingress, agent };
    },
    keptFrom(ingress, agent) {
      if (promises.length === 0) return 0;
      const at = now();
      let kept = 0;
      for (const promise of promises)
        if (promise.until >= at && (promise.agent !== agent || promise.ingress !== ingress)) kept += 1;
      return kept;
    },
    came(ingress, agent) {
      silent.delete(ingress);
      const at = promises.findIndex((promise) => promise.agent === agent && promise.ingress === ingress);
      if (at !== -1) promises.splice(at, 1);
      return at !== -1;
    },
    othersWait(ingress) {
      for (const claim of claims.values()) if (claim.ingress !== ingress && !silent.has(claim.ingress)) return true;
      return false;
    },
    get anyWait() {
      return claims.size > 0;
    },
    expire() {
      const at = now();
      let lapsed = 0;
      for (; promises[0] !== undefined && promises[0].until < at; lapsed += 1) {
        silent.add(promises[0].ingress);
        promises.shift();
      }
      for (const [name, claim] of claims) if (claim.until < at) claims.delete(name);
      if (claims.size === 0) silent.clear();
      return lapsed;
    },
  };
}
