import type { Era } from '../../../shared/mcp/revisions.ts';
import { type Agent, closeAgents, openAgents } from './agent.ts';
import type { Endpoint } from './request.ts';

/** Agents that stay connected between the windows of an endpoint. */
export interface AgentPool {
  /** So many agents of the endpoint; those that are missing are opened. */
  take(endpoint: Endpoint, count: number): Promise<readonly Agent[]>;
  /** Closes all agents of the endpoint. */
  release(endpoint: Endpoint): void;
}

/** HTTP servers close connections that are not used; after this long an agent is replaced, well before Fastify's 72 s. */
const unusedMs = 40_000;

export function createAgentPool(era: Era, replaceAfterMs = unusedMs): AgentPool {
  const open = new Map<string, Map<Agent, number>>();
  const nameOf = ({ port, path }: Endpoint): string => `${port}${path}`;

  /** The agents of the endpoint that can be used, each with the time of its last use. */
  const usable = (endpoint: Endpoint): Map<Agent, number> => {
    const agents = open.get(nameOf(endpoint)) ?? new Map<Agent, number>();
    open.set(nameOf(endpoint), agents);
    const old = performance.now() - replaceAfterMs;
    for (const [agent, usedAt] of agents) {
      if (usedAt > old && !agent.connection.closed) continue;
      closeAgents([agent]);
      agents.delete(agent);
    }
    return agents;
  };

  return {
    async take(endpoint, count) {
      const agents = usable(endpoint);
      const opened = await openAgents(endpoint, era, Math.max(0, count - agents.size));
      const taken = [...agents.keys(), ...opened].slice(0, count);
      for (const agent of taken) agents.set(agent, performance.now());
      return taken;
    },
    release(endpoint) {
      closeAgents([...(open.get(nameOf(endpoint))?.keys() ?? [])]);
      open.delete(nameOf(endpoint));
    },
  };
}
