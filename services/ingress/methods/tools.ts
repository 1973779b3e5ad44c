import { isJsonObject } from '../../../shared/mcp/json.ts';
import { converse } from './converse.ts';
import type { Method } from './method.ts';
import { invalidParams, unknownTool } from './refusals.ts';

export const callTool: Method = async (request, view, deps) => {
  const { params } = request;
  const { name } = params;
  if (typeof name !== 'string') return invalidParams('name must be a string');
  const tool = view.tool(name);
  if (!tool) return unknownTool(name);
  if (params.arguments !== undefined && !isJsonObject(params.arguments))
    return invalidParams('arguments must be an object');
  const own = tool.target === name ? params : { ...params, name: tool.target };
  const answer = await converse(request, view, tool, own, deps);
  return answer.kind === 'error' ? answer : { ...answer, source: { server: tool.server, tool: tool.target } };
};
