import { isJsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint } from '../../../shared/mcp/manifest.ts';
import type { AgentReply } from '../request.ts';
import { converse } from './converse.ts';
import type { Method, MethodDeps } from './method.ts';
import { invalidParams, unknownResource } from './refusals.ts';
import { mentions, parseResult } from './result-body.ts';

export const readResource: Method = async (request, view, deps) => {
  const { params } = request;
  const { uri } = params;
  if (typeof uri !== 'string') return invalidParams('uri must be a string');
  const resource = view.resource(uri);
  if (!resource) return unknownResource(uri);
  const answer = await converse(request, view, resource, { ...params, uri: resource.target }, deps);
  if (answer.kind === 'error') return resource.target === uri ? answer : inAgentsWords(answer, resource.target, uri);
  // Results of retries are never cached (2026-07-28, server/utilities/caching).
  const answersQuestion = params.inputResponses !== undefined || params.requestState !== undefined;
  return answer.resultType === 'complete' ? withCache(answer, answersQuestion, deps) : answer;
};

type ResultAnswer = Extract<AgentReply, { kind: 'result' }>;
type ErrorAnswer = Extract<AgentReply, { kind: 'error' }>;

/** Takes the upstream's hint out of the body, where the edges put the one that holds here. */
function withCache(answer: ResultAnswer, answersQuestion: boolean, { config }: MethodDeps): AgentReply {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  if (!mentions(body, 'ttlMs') && !mentions(body, 'cacheScope')) return { ...answer, cache: uncached };
  const { ttlMs, cacheScope, ...rest } = parseResult(body);
  const isPublic = cacheScope === 'public' && Object.keys(config().agents).length === 0;
  const isUsable = !answersQuestion && typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs > 0;
  return {
    ...answer,
    body: ttlMs === undefined && cacheScope === undefined ? body : JSON.stringify(rest),
    cache: { ttlMs: isUsable ? ttlMs : 0, scope: isPublic ? 'public' : 'private' },
  };
}

const uncached: CacheHint = { ttlMs: 0, scope: 'private' };

/** An error that names the server's own URI names the agent's instead. */
function inAgentsWords(answer: ErrorAnswer, own: string, uri: string): AgentReply {
  const { error } = answer;
  if (!isJsonObject(error.data) || error.data.uri !== own) return answer;
  return { ...answer, error: { ...error, data: { ...error.data, uri } } };
}
