import { isJsonObject } from '../../../shared/mcp/json.ts';
import { converse } from './converse.ts';
import type { Method } from './method.ts';
import { invalidParams, unknownPrompt } from './refusals.ts';

export const getPrompt: Method = (request, view, deps) => {
  const { params } = request;
  const { name } = params;
  if (typeof name !== 'string') return invalidParams('name must be a string');
  const prompt = view.prompt(name);
  if (!prompt) return unknownPrompt(name);
  if (params.arguments !== undefined && !isJsonObject(params.arguments))
    return invalidParams('arguments must be an object');
  return converse(request, view, prompt, { ...params, name: prompt.target }, deps);
};
