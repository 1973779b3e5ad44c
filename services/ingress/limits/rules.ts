import { type Config, tokensPerSecond } from '../../../shared/config/schema.ts';
import { anyOf, type Matcher } from '../policy/patterns.ts';
import type { Rule } from './limit.ts';
import type { Rate } from './token-bucket.ts';

/** The limits that one configuration asks for. A name without a limit gives undefined. */
export interface Rules {
  readonly global: Rule | undefined;
  agent(id: string): Rule | undefined;
  server(name: string): Rule | undefined;
  /** The tool's own name among the patterns first, then the first pattern that fits. */
  tool(server: string, tool: string): Rule | undefined;
  agentOnServer(id: string, server: string): Rule | undefined;
}

interface Written {
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
  readonly concurrency?: number | undefined;
}

/** Reads the limits out of a configuration. */
export function compileRules({ limits, agents, servers }: Config): Rules {
  const ofAgents = new Map<string, Rule | undefined>();
  const onServers = new Map<string, ReadonlyMap<string, Rule | undefined>>();
  for (const [id, agent] of Object.entries(agents)) {
    ofAgents.set(id, ruleOf(agent.limits));
    onServers.set(id, new Map(Object.entries(agent.serverLimits).map(([name, each]) => [name, ruleOf(each)])));
  }
  const ofServers = new Map<string, Rule | undefined>();
  const ofTools = new Map<string, readonly ToolRule[]>();
  for (const [name, server] of Object.entries(servers)) {
    ofServers.set(name, ruleOf(server.limits));
    ofTools.set(name, Object.entries(server.toolLimits).map(toolRule));
  }
  return {
    global: ruleOf(limits),
    agent: (id) => ofAgents.get(id),
    server: (name) => ofServers.get(name),
    tool(server, tool) {
      const patterns = ofTools.get(server) ?? [];
      const found = patterns.find(({ pattern }) => pattern === tool) ?? patterns.find(({ fits }) => fits(tool));
      return found?.rule;
    },
    agentOnServer: (id, server) => onServers.get(id)?.get(server),
  };
}

interface ToolRule {
  readonly pattern: string;
  readonly fits: Matcher;
  readonly rule: Rule | undefined;
}

function toolRule([pattern, written]: readonly [string, Written]): ToolRule {
  return { pattern, fits: anyOf([pattern]), rule: ruleOf(written) };
}

function ruleOf({ rate, burst, concurrency }: Written): Rule | undefined {
  if (rate === undefined && concurrency === undefined) return undefined;
  return { rate: rate === undefined ? undefined : rateOf(rate, burst), concurrency };
}

/** A burst that nobody wrote is one second of the rate. */
export function rateOf(rate: string, burst: number | undefined): Rate {
  const perSecond = tokensPerSecond(rate);
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) };
}
