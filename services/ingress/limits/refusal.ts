import { GatewayError } from '../../../shared/errors.ts';
import type { Exhausted, LimitKind } from './limit.ts';

const names: Readonly<Record<LimitKind, string>> = {
  global: 'all calls together',
  agent: 'this agent',
  server: 'this server',
  tool: 'this tool',
  agent_on_server: 'this agent on this server',
};

/** What an agent is its own fault is `rate_limited`; where too many are at work for others too it is `overloaded`. */
export function refusalOf(kind: LimitKind, { why, retryAfterMs }: Exhausted): GatewayError {
  if (why === 'rate') {
    return new GatewayError('rate_limited', `the rate limit of ${names[kind]} is used up`, { retryAfterMs });
  }
  const isAgents = kind === 'agent' || kind === 'agent_on_server';
  const message = `as many calls are in flight as the limit of ${names[kind]} allows`;
  return new GatewayError(isAgents ? 'rate_limited' : 'overloaded', message, { retryAfterMs });
}
