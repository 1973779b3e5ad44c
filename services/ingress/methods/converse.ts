import { GatewayError } from '../../../shared/errors.ts';
import { identityOf, type Reply } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Target, View } from '../catalog/catalog.ts';
import type { AgentReply, AgentRequest } from '../request.ts';
import { openRequestState, type StatedRequest, sealRequestState } from '../state/request-state.ts';
import { sealTaskId } from '../state/task-id.ts';
import { faultOfError, faultOfQuestions } from '../validation/elicited-urls.ts';
import { asAnswer, type Destination, forward, isGone } from './forward.ts';
import type { MethodDeps } from './method.ts';
import { invalidParams, urlRefused } from './refusals.ts';
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
  const stated: StatedRequest = { principal: identityOf(request.principal), method: request.method, server, params };
  const destination = resume(stated, target, deps);
  if (!destination) return refusedState;
  const reply = await askAgain(request, destination, deps);
  const fault = urlFaultOf(reply);
  if (fault !== undefined) return refuseUrl(request.method, fault, reply, () => giveUp(server, reply, deps));
  if (reply.kind === 'error') return asAnswer(reply);
  requireKnownKind(reply.resultType, request, server, deps);
  const body = bodyFor(view, stated, reply, deps);
  const { resultType, isError, timing, park, instance } = reply;
  const held = park === undefined ? undefined : { abandon: () => deps.abandon?.(server, instance, park) };
  return { kind: 'result', resultType, body, isError, timing, held };
}

// One answer for every cause: who tampers learns nothing.
const refusedState = invalidParams('Invalid or expired requestState');

/**
 * Undefined when the agent's `requestState` is not one of ours for this request. Throws `upstream_lost` when it is, and the worker that held
 * the call open is gone.
 */
function resume(stated: StatedRequest, target: string, deps: MethodDeps): Destination | undefined {
  const { server, params } = stated;
  if (params['requestState'] === undefined) return { server, target, params };
  const { requestState, ...asked } = params;
  if (typeof requestState !== 'string') return undefined;
  const opened = openRequestState(deps.sealer, stated, requestState, deps.now());
  if (!opened) return undefined;
  const gone = isGone(server, opened.instance, deps);
  if (gone && opened.park !== undefined) throw heldCallLost();
  return {
    server,
    target,
    params: opened.state === undefined ? asked : { ...asked, requestState: opened.state },
    // The upstream may open its state in another process; without the one that made it, that is the only hope.
    instance: gone ? undefined : opened.instance,
    park: opened.park,
  };
}

/** The tool of a held call has begun, so `no_worker` would promise too much when its worker is gone. */
async function askAgain(request: AgentRequest, destination: Destination, deps: MethodDeps): Promise<Reply> {
  if (destination.park === undefined) return forward(request, destination, deps);
  try {
    return await forward(request, destination, deps);
  } catch (error) {
    if (error instanceof GatewayError && error.reason === 'no_worker') throw heldCallLost();
    throw error;
  }
}

function heldCallLost(): GatewayError {
  const message = 'the worker that held this call open while it waited for the answer is gone';
  return new GatewayError('upstream_lost', message, { executed: 'unknown' });
}

function urlFaultOf(reply: Reply): string | undefined {
  if (reply.kind === 'error') return faultOfError(reply.error);
  return reply.resultType === 'input_required' ? faultOfQuestions(parseResult(reply.body)) : undefined;
}

/** The failure of a tool is for the model to read; prompts and resources have only errors. */
function refuseUrl(method: string, fault: string, { timing }: Reply, abandon: () => void): AgentReply {
  abandon();
  if (method === 'tools/call') return { ...urlRefused(fault), timing };
  const message = `The server asked the user to open a URL that this gateway does not pass on: ${fault}`;
  throw new GatewayError('bad_upstream_output', message, { executed: 'yes', upstreamMs: timing.upstreamMs });
}

function giveUp(server: string, reply: Reply, deps: MethodDeps): void {
  if (reply.kind === 'result' && reply.park !== undefined) deps.abandon?.(server, reply.instance, reply.park);
}

const ownKinds = new Set(['complete', 'input_required', 'task']);
/** Extensions whose results toolbus knows. */
const ownExtensions = new Set(['io.modelcontextprotocol/tasks', 'io.modelcontextprotocol/ui']);

/** 2026-07-28, basic/index: an unknown `resultType` is invalid unless an extension that both sides declared brings it. */
function requireKnownKind(kind: string, { agent }: AgentRequest, server: string, { catalog }: MethodDeps): void {
  if (ownKinds.has(kind)) return;
  const agents = agent.capabilities.extensions;
  const servers = catalog.manifest(server)?.capabilities.extensions;
  const shared =
    isJsonObject(agents) &&
    isJsonObject(servers) &&
    Object.keys(agents).some((name) => !ownExtensions.has(name) && Object.hasOwn(servers, name));
  if (shared) return;
  const message = 'The server answered with a kind of result that nobody declared';
  throw new GatewayError('bad_upstream_output', message, { executed: 'yes' });
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
