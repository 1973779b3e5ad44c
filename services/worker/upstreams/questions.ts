import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { JsonRpcRequest, RequestId } from '../../../shared/mcp/json-rpc.ts';

/** What a legacy server may ask its client in the middle of a call. */
export const questionMethods: ReadonlySet<string> = new Set([
  'elicitation/create',
  'sampling/createMessage',
  'roots/list',
]);

/** What toolbus declares to legacy servers: every question can be carried, the agent of each call decides. */
export const bridgedCapabilities: JsonObject = {
  elicitation: { form: {}, url: {} },
  sampling: {},
  roots: { listChanged: true },
};

/** Why this agent cannot be asked; undefined when it can. */
export function whyNotAskable(request: JsonRpcRequest, capabilities: JsonObject): string | undefined {
  const { method, params = {} } = request;
  switch (method) {
    case 'elicitation/create': {
      const elicitation = capabilities['elicitation'];
      if (!isJsonObject(elicitation)) return 'the client does not support elicitation';
      // Before 2025-11-25 the capability was an empty object and meant forms.
      if (params['mode'] === 'url' && !isJsonObject(elicitation['url']))
        return 'the client does not support URL elicitation';
      const formless = isJsonObject(elicitation['url']) && !isJsonObject(elicitation['form']);
      return params['mode'] !== 'url' && formless ? 'the client does not support form elicitation' : undefined;
    }
    case 'sampling/createMessage':
      return isJsonObject(capabilities['sampling']) ? undefined : 'the client does not support sampling';
    case 'roots/list':
      return isJsonObject(capabilities['roots']) ? undefined : 'the client does not support roots';
    default:
      return 'Method not found';
  }
}

/** One question of the server that waits for the agent. */
export interface Question {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/** The question as an entry of `inputRequests` (2026-07-28, basic/patterns/mrtr), without what belongs to the hop to the server. */
export function inputRequest({ method, params }: Question): JsonObject {
  if (params === undefined) return { method, ...(method !== 'roots/list' && { params: {} }) };
  const { _meta: meta, task: _task, ...rest } = params;
  if (!isJsonObject(meta)) return { method, params: rest };
  const { progressToken: _token, ...kept } = meta;
  return { method, params: Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept } };
}

export type QuestionAnswer =
  | { readonly result: JsonObject }
  | { readonly error: { readonly code: number; readonly message: string } };

/**
 * An entry of `inputResponses` as the answer to its question: the bare result, or `{error: {code, message}}` where the agent refused. Undefined for
 * what answers nothing, so that the question is asked again.
 */
export function readAnswer(question: Question, response: JsonValue | undefined): QuestionAnswer | undefined {
  if (!isJsonObject(response)) return undefined;
  const error = response['error'];
  if (isJsonObject(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string') {
    return { error: { code: Number(error['code']), message: error['message'] } };
  }
  if (question.method === 'elicitation/create' && typeof response['action'] !== 'string') return undefined;
  if (question.method === 'roots/list' && !Array.isArray(response['roots'])) return undefined;
  if (question.method === 'sampling/createMessage' && response['content'] === undefined) return undefined;
  return { result: response };
}
