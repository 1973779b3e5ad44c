import { isJsonObject } from '../../../shared/mcp/json.ts';
import { checksResults } from '../validation/check-result.ts';
import { converse } from './converse.ts';
import type { Method } from './method.ts';
import { argumentsRefused, changedTool, invalidParams, unknownTool } from './refusals.ts';

export const callTool: Method = async (request, view, deps) => {
  const { params } = request;
  const { name } = params;
  if (typeof name !== 'string') return invalidParams('name must be a string');
  const tool = view.tool(name);
  if (!tool) return view.hasChanged(name) ? changedTool(name) : unknownTool(name);
  if (params.arguments !== undefined && !isJsonObject(params.arguments))
    return invalidParams('arguments must be an object');
  const checked = deps.checks?.call(tool, name, params.arguments ?? {});
  const objection = checked instanceof Promise ? await checked : checked;
  if (objection?.kind === 'withheld') return unknownTool(name);
  const source = { server: tool.server, tool: tool.target };
  if (objection !== undefined) return argumentsRefused(objection, source);
  const own = tool.target === name ? params : { ...params, name: tool.target };
  const answer = await converse(request, view, tool, own, deps);
  if (answer.kind === 'error') return answer;
  if (answer.resultType === 'complete' && answer.isError !== true && checksResults(tool, deps.config()))
    await deps.checks?.result(tool, answer.body);
  return { ...answer, source };
};
