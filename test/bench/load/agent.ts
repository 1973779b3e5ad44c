import type { Era } from '../../../shared/mcp/revisions.ts';
import { type Connection, openConnection } from './connection.ts';
import { createRequestMaker, type Endpoint, type RequestMaker } from './request.ts';

/** One agent: a connection and, in the legacy era, the session it opened on it. */
export interface Agent {
  readonly connection: Connection;
  readonly requests: RequestMaker;
}

/** Connects and, in the legacy era, initializes. Throws when the endpoint refuses. */
export async function openAgent(endpoint: Endpoint, era: Era): Promise<Agent> {
  const connection = await openConnection(endpoint.port);
  const before = createRequestMaker(endpoint, era);
  if (before.opening === undefined) return { connection, requests: before };

  const answer = await connection.ask(before.opening.initialize);
  if (answer.status !== 200) {
    connection.close();
    throw new Error(`initialize was answered with HTTP ${answer.status}: ${answer.body.toString('utf8', 0, 200)}`);
  }
  const requests = createRequestMaker(endpoint, era, answer.session);
  const accepted = await connection.ask(requests.opening!.initialized);
  if (accepted.status !== 202) throw new Error(`notifications/initialized was answered with HTTP ${accepted.status}`);
  return { connection, requests };
}

/** Opens many agents, 32 at a time. */
export async function openAgents(endpoint: Endpoint, era: Era, count: number): Promise<Agent[]> {
  const agents: Agent[] = [];
  while (agents.length < count) {
    const batch = Array.from({ length: Math.min(32, count - agents.length) }, () => openAgent(endpoint, era));
    agents.push(...(await Promise.all(batch)));
  }
  return agents;
}

export function closeAgents(agents: readonly Agent[]): void {
  for (const agent of agents) agent.connection.close();
}
