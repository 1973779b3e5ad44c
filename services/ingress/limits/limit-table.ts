import type { Config } from '../../../shared/config/schema.ts';
import { createLimit, type Limit, type LimitKind, type Rule } from './limit.ts';
import { compileRules, type Rules } from './rules.ts';

/** The limits that exist now, by what they limit. Undefined where the configuration asks for none. */
export interface LimitTable {
  global(): Limit | undefined;
  agent(id: string): Limit | undefined;
  server(name: string): Limit | undefined;
  tool(server: string, tool: string): Limit | undefined;
  agentOnServer(id: string, server: string): Limit | undefined;
  /** By its key, as another ingress names it; made when the configuration has it. */
  byKey(key: string): Limit | undefined;
  all(): Iterable<Limit>;
  /** This process may use one part in so many of every limit. */
  setParts(parts: number): void;
}

export interface LimitTableOptions {
  /** The configuration in force now; another one is noticed by being another object. */
  config(): Config;
  /** Calls that others have in flight under a key. */
  elsewhere(key: string): number;
  now(): number;
}

/** Limits are made when first needed; above this number those that nothing counts against are forgotten. */
const manyLimits = 10_000;
/** More are not kept: tools of a server that renames them all the time share what limits the server has. */
const mostLimits = 20_000;

export function createLimitTable({ config, elsewhere, now }: LimitTableOptions): LimitTable {
  const limits = new Map<string, Limit>();
  let inForce = config();
  let rules = compileRules(inForce);
  let parts = 1;

  /** Rules of the configuration in force. After a change each limit goes on with what it has counted. */
  function current(): Rules {
    const next = config();
    if (next === inForce) return rules;
    inForce = next;
    rules = compileRules(next);
    applyRules();
    return rules;
  }

  function applyRules(): void {
    const at = now();
    for (const [key, limit] of limits) {
      const rule = ruleOfKey(key);
      // One that still has calls in flight may come back with the next change.
      if (rule === undefined && limit.inFlight === 0) limits.delete(key);
      else limit.setRule(at, rule ?? {}, parts);
    }
  }

  function ruleOfKey(key: string): Rule | undefined {
    const [kind, first, second] = partsOf(key);
    switch (kind) {
      case 'global':
        return rules.global;
      case 'agent':
        return rules.agent(first);
      case 'server':
        return rules.server(first);
      case 'tool':
        return rules.tool(first, second);
      case 'agent_on_server':
        return rules.agentOnServer(first, second);
      default:
        return undefined;
    }
  }

  function limitOf(kind: LimitKind, key: string, rule: Rule | undefined): Limit | undefined {
    if (rule === undefined) return undefined;
    const known = limits.get(key);
    if (known !== undefined) return known;
    if (limits.size >= manyLimits) forgetIdle();
    if (limits.size >= mostLimits) return undefined;
    const made = createLimit(kind, key, rule, now(), parts, elsewhere);
    limits.set(key, made);
    return made;
  }

  function forgetIdle(): void {
    const at = now();
    for (const [key, limit] of limits) if (limit.inFlight === 0 && limit.missing(at) <= 0) limits.delete(key);
  }

  return {
    global: () => limitOf('global', 'global', current().global),
    agent: (id) => limitOf('agent', keyOf('agent', id), current().agent(id)),
    server: (name) => limitOf('server', keyOf('server', name), current().server(name)),
    tool: (server, tool) => limitOf('tool', keyOf('tool', server, tool), current().tool(server, tool)),
    agentOnServer: (id, server) =>
      limitOf('agent_on_server', keyOf('agent_on_server', id, server), current().agentOnServer(id, server)),
    byKey(key) {
      current();
      const kind = kindOf(partsOf(key)[0]);
      return kind && limitOf(kind, key, ruleOfKey(key));
    },
    all() {
      current();
      return limits.values();
    },
    setParts(next) {
      if (next === parts) return;
      parts = next;
      applyRules();
    },
  };
}

const kinds: readonly LimitKind[] = ['global', 'agent', 'server', 'tool', 'agent_on_server'];

function kindOf(text: string | undefined): LimitKind | undefined {
  return kinds.find((kind) => kind === text);
}

/** Names may hold anything, so the first one's length says where it ends. */
function keyOf(kind: LimitKind, first: string, second = ''): string {
  return `${kind} ${first.length} ${first}${second}`;
}

/** What a key limits, for people. */
export function nameOfKey(key: string): string {
  const [, first, second] = partsOf(key);
  return second === '' ? first : `${first}/${second}`;
}

function partsOf(key: string): readonly [kind: string, first: string, second: string] {
  const [, kind = key, length = '0', names = ''] = /^(\w+) (\d{1,4}) ([\s\S]*)$/.exec(key) ?? [];
  return [kind, names.slice(0, Number(length)), names.slice(Number(length))];
}
