import { GatewayError } from '../../../shared/errors.ts';
import type { Reply } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Target, View } from '../catalog/catalog.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import { openRequestState, type StatedRequest, sealRequestState } from '../state/request-state.ts';
import { sealTaskId } from '../state/task-id.ts';
import { asAnswer, type Destination, forward, isGone } from './forward.ts';
import type { MethodDeps } from './method.ts';
import { invalidParams } from './refusals.ts';
import { parseResult, spellLinks } from './result-body.ts';

type ResultReply = Extract<Reply, { kind: 'result' }>;

/**
 * Forwards one of the three methods in which a server may ask back before it answers (`tools/call`, `prompts/get`,
 * `resources/read`). `params` are in the server's own names; a `requestState` in them is still the agent's.
 */
export async function converse(
  request: AgentRequest,
  view: View,
  { server, target }: Target,
  params: JsonObject,
  deps: MethodDeps,
): Promise<AgentReply> {
  const stated: StatedRequest = { principal: request.principal.id, method: request.method, server, params };
  const destination = resume(stated, target, deps);
  if (!destination) return lostQuestion;
  const reply = await askAgain(request, destination, deps);
  if (!reply) return lostQuestion;
  if (reply.kind === 'error') return asAnswer(reply);
  const body = bodyFor(view, stated, reply, deps);
  const { resultType, isError, timing } = reply;
  return { kind: 'result', resultType, body, isError, timing };
}

// One answer for every cause: who tampers learns nothing.
const lostQuestion = invalidParams('Invalid or expired requestState');

/** Undefined when the agent's `requestState` is not one of ours for this request. */
function resume(stated: StatedRequest, target: string, deps: MethodDeps): Destination | undefined {
  const { server, params } = stated;
  const { requestState, ...asked } = params;
  if (requestState === undefined) return { server, target, params };
  if (typeof requestState !== 'string') return undefined;
  const opened = openRequestState(deps.sealer, stated, requestState, deps.now());
  if (!opened) return undefined;
  const gone = isGone(server, opened.instance, deps);
  if (gone && opened.park !== undefined) return undefined;
  return {
    server,
    target,
    params: opened.state === undefined ? asked : { ...asked, requestState: opened.state },
    // The upstream may open its state in another process; without the one that made it, that is the only hope.
    instance: gone ? undefined : opened.instance,
    park: opened.park,
  };
}

/** Undefined when the worker that held the call open is gone: the tool had begun, so `no_worker` would promise too much. */
async function askAgain(request: AgentRequest, destination: Destination, deps: MethodDeps): Promise<Reply | undefined> {
  if (destination.park === undefined) return forward(request, destination, deps);
  try {
    return await forward(request, destination, deps);
  } catch (error) {
    if (error instanceof GatewayError && error.reason === 'no_worker') return undefined;
    throw error;
  }
}

function bodyFor(view: View, stated: StatedRequest, reply: ResultReply, deps: MethodDeps): Uint8Array | string {
  if (reply.resultType === 'complete') return spellLinks(view, stated.server, reply.body);
  if (reply.resultType === 'input_required') return sealQuestion(stated, reply, deps);
  if (reply.resultType === 'task') return sealTask(stated, reply, deps);
  return reply.body;
}

/** A question without state stays one, unless the answer must find its way back to one of several workers. */
function sealQuestion(stated: StatedRequest, reply: ResultReply, deps: MethodDeps): Uint8Array | string {
  const result = parseResult(reply.body);
  const { server } = stated;
  const { park, instance } = reply;
  const state = typeof result.requestState === 'string' ? result.requestState : undefined;
  if (state === undefined && park === undefined && deps.catalog.instances(server).length <= 1) return reply.body;
  const requestState = sealRequestState(deps.sealer, stated, { server, instance, park, state }, deps.now());
  return JSON.stringify({ ...result, requestState });
}

function sealTask({ principal, server }: StatedRequest, reply: ResultReply, deps: MethodDeps): Uint8Array | string {
  const result = parseResult(reply.body);
  if (typeof result.taskId !== 'string') return reply.body;
  const taskId = sealTaskId(deps.sealer, principal, { server, instance: reply.instance, id: result.taskId });
  return JSON.stringify({ ...result, taskId });
}
