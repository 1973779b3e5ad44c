import type { LimitShares, LimitSharesListener } from '../../../shared/bus/limit-shares.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { Limit, LimitKind } from './limit.ts';
import { createLimitTable, nameOfKey } from './limit-table.ts';
import { createPeerUsage } from './peer-usage.ts';
import { refusalOf } from './refusal.ts';
import { createSharing } from './sharing.ts';

/** What a request holds of limits while it is on its way. */
export interface Pass {
  /** Gives back what is held; a second time does nothing. */
  leave(): void;
}

/** How one limit stands, for the metrics. */
export interface LimitState {
  readonly kind: LimitKind;
  /** `agent`, `server`, `agent/server` or `server/tool`; empty for all calls together. */
  readonly name: string;
  readonly inFlight: number;
  readonly concurrency: number | undefined;
  readonly level: number | undefined;
}

/**
 * Limits of calls. A request passes twice: `admit` before anybody looks at what it wants, so that calls of unknown names count too, and
 * `admitTo` when the server is known. In each pass either all limits have room and all are charged, or none is. Tokens of the first
 * pass are not given back when the second refuses: they count requests, not executions. Slots are, on every way out.
 */
export interface Limits {
  /** Limits of all calls and of the agent. Throws GatewayError `rate_limited` or `overloaded`. */
  admit(principal: Principal): Pass;
  /** Limits of the server, of the tool, and of the agent there. Throws likewise. */
  admitTo(principal: Principal, server: string, tool: string | undefined): Pass;
  states(): Iterable<LimitState>;
  /** Refusals so far, by kind of limit. */
  readonly refusals: ReadonlyMap<LimitKind, number>;
  close(): void;
}

export interface LimitsOptions {
  /** The configuration in force now; another one is noticed by being another object. */
  config(): Config;
  /** Joins the other ingresses; absent: there are none. */
  join?(listener: LimitSharesListener): LimitShares;
  /** Milliseconds of a monotonic clock. */
  now?(): number;
}

const nothingHeld: Pass = { leave() {} };

export function createLimits({ config, join, now = () => performance.now() }: LimitsOptions): Limits {
  const usage = createPeerUsage();
  const table = createLimitTable({ config, elsewhere: usage.inFlight, now });
  const sharing = createSharing({ table, usage, join, now });
  const refusals = new Map<LimitKind, number>();

  function pass(limits: readonly (Limit | undefined)[]): Pass {
    const at = now();
    let held: Limit[] | undefined;
    for (const limit of limits) {
      if (limit === undefined) continue;
      const exhausted = limit.exhausted(at);
      if (exhausted !== undefined) {
        refusals.set(limit.kind, (refusals.get(limit.kind) ?? 0) + 1);
        throw refusalOf(limit.kind, exhausted);
      }
      held ??= [];
      held.push(limit);
    }
    if (held === undefined) return nothingHeld;
    for (const limit of held) {
      limit.take(at);
      sharing.used(limit);
    }
    return new HeldPass(held, sharing.used);
  }

  return {
    admit: (principal) => pass([isNamed(principal) ? table.agent(principal.id) : undefined, table.global()]),
    admitTo: (principal, server, tool) =>
      pass([
        isNamed(principal) ? table.agentOnServer(principal.id, server) : undefined,
        tool === undefined ? undefined : table.tool(server, tool),
        table.server(server),
      ]),
    *states() {
      const at = now();
      for (const limit of table.all()) {
        const { kind, key, inFlight, concurrency } = limit;
        yield { kind, name: nameOfKey(key), inFlight, concurrency, level: limit.level(at) };
      }
    },
    refusals,
    close: sharing.close,
  };
}

/** The others may be called like an agent of the configuration and are nobody's. */
function isNamed({ method }: Principal): boolean {
  return method !== 'development' && method !== 'none';
}

class HeldPass implements Pass {
  #held: readonly Limit[];
  readonly #used: (limit: Limit) => void;

  constructor(held: readonly Limit[], used: (limit: Limit) => void) {
    this.#held = held;
    this.#used = used;
  }

  leave(): void {
    const held = this.#held;
    this.#held = [];
    for (const limit of held) {
      limit.leave();
      this.#used(limit);
    }
  }
}
