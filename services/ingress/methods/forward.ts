import type { Call, Reply } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { type Affinity, affinityKey } from '../dispatch/affinity.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import type { MethodDeps } from './method.ts';

/** Where a request goes, in the server's own words. */
export interface Destination {
  readonly server: string;
  readonly target?: string | undefined;
  readonly params: JsonObject;
  readonly instance?: string | undefined;
  readonly park?: string | undefined;
}

const defaultTimeoutMs = 60_000;

/** Makes the call and has it answered, within the limits of its server. */
export async function forward(request: AgentRequest, destination: Destination, deps: MethodDeps): Promise<Reply> {
  const call: Call = {
    id: request.callId,
    server: destination.server,
    method: request.method,
    target: destination.target,
    params: destination.params,
    agent: request.agent,
    principal: request.principal,
    wantsProgress: request.wantsProgress,
    timeoutMs: timeoutOf(destination.server, deps),
    headers: request.headers,
    instance: destination.instance,
    affinity: affinityKey(affinityOf(destination.server, deps), request),
    park: destination.park,
  };
  const tool = call.method === 'tools/call' ? call.target : undefined;
  const pass = deps.limits?.admitTo(call.principal, call.server, tool);
  try {
    return await deps.dispatch(call, {
      signal: request.signal,
      onNotification: (notification) => request.onNotification(notification),
    });
  } finally {
    pass?.leave();
  }
}

/** A reply whose result goes to the agent as it is. */
export function asAnswer(reply: Reply): AgentReply {
  const { timing } = reply;
  return reply.kind === 'error'
    ? { kind: 'error', error: reply.error, timing }
    : { kind: 'result', resultType: reply.resultType, body: reply.body, timing };
}

/** An instance that is known to be gone cannot be asked; without heartbeats nothing is known. */
export function isGone(server: string, instance: string, { catalog }: Pick<MethodDeps, 'catalog'>): boolean {
  const live = catalog.instances(server);
  return live.length > 0 && !live.some((status) => status.instance === instance);
}

function affinityOf(server: string, { config }: MethodDeps): Affinity {
  const { servers } = config();
  return Object.hasOwn(servers, server) ? (servers[server]?.affinity ?? 'none') : 'none';
}

function timeoutOf(server: string, { config }: MethodDeps): number {
  const { servers } = config();
  return Object.hasOwn(servers, server) ? (servers[server]?.timeoutMs ?? defaultTimeoutMs) : defaultTimeoutMs;
}
