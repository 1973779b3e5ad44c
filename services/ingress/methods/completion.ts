import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Target, View } from '../catalog/catalog.ts';
import type { AgentReply } from '../request.ts';
import { asAnswer, forward } from './forward.ts';
import type { Method } from './method.ts';
import { invalidParams, unknownPrompt, unknownResource } from './refusals.ts';

/** `ref` names a prompt or a resource template as the agent knows it. */
export const complete: Method = async (request, view, deps) => {
  const { ref } = request.params;
  if (!isJsonObject(ref)) return invalidParams('ref must be an object');
  const found = find(ref, view);
  if ('kind' in found) return found;
  // One server of many without completion is no reason for an error.
  if (!isJsonObject(deps.catalog.manifest(found.target.server)?.capabilities.completions)) return nothing;
  const params = { ...request.params, ref: found.ref };
  const { server, target } = found.target;
  return asAnswer(await forward(request, { server, target, params }, deps));
};

const nothing: AgentReply = { kind: 'result', resultType: 'complete', body: '{"completion":{"values":[]}}' };

/** The owner, and the reference in its own words; or the refusal. */
function find(ref: JsonObject, view: View): { target: Target; ref: JsonObject } | AgentReply {
  if (ref.type === 'ref/prompt') {
    if (typeof ref.name !== 'string') return invalidParams('ref.name must be a string');
    const target = view.prompt(ref.name);
    return target ? { target, ref: { ...ref, name: target.target } } : unknownPrompt(ref.name);
  }
  if (ref.type === 'ref/resource') {
    if (typeof ref.uri !== 'string') return invalidParams('ref.uri must be a string');
    const target = view.template(ref.uri) ?? view.resource(ref.uri);
    return target ? { target, ref: { ...ref, uri: target.target } } : unknownResource(ref.uri);
  }
  return invalidParams('ref.type must be ref/prompt or ref/resource');
}
