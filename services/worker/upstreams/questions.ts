import type { AgentContext } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { JsonRpcRequest, RequestId } from '../../../shared/mcp/json-rpc.ts';
import { isModernRevision } from '../../../shared/mcp/revisions.ts';

/** What a legacy server may ask its client in the middle of a call. */
export const questionMethods: ReadonlySet<string> = new Set([
  'elicitation/create',
  'sampling/createMessage',
  'roots/list',
]);

/** What toolbus declares to legacy servers: every question can be carried, the agent of each call decides. */
export const bridgedCapabilities: JsonObject = {
  elicitation: { form: {}, url: {} },
  sampling: { context: {}, tools: {} },
  roots: { listChanged: true },
};

/** Why an agent cannot be asked something. */
export interface NotAskable {
  readonly why: string;
  /** The capabilities it would have to declare. */
  readonly requires: JsonObject;
}

/** Undefined when this agent can be asked. */
export function whyNotAskable(
  { method, params = {} }: JsonRpcRequest,
  capabilities: JsonObject,
): NotAskable | undefined {
  const lacks = (what: string, requires: JsonObject) => ({ why: `the client does not support ${what}`, requires });
  switch (method) {
    case 'elicitation/create': {
      const elicitation = capabilities['elicitation'];
      const hasUrl = isJsonObject(elicitation) && isJsonObject(elicitation['url']);
      if (params['mode'] === 'url') return hasUrl ? undefined : lacks('URL elicitation', { elicitation: { url: {} } });
      // Before 2025-11-25 the capability was an empty object and meant forms.
      const hasForm = isJsonObject(elicitation) && (isJsonObject(elicitation['form']) || !hasUrl);
      return hasForm ? undefined : lacks('elicitation', { elicitation: { form: {} } });
    }
    case 'sampling/createMessage': {
      const sampling = capabilities['sampling'];
      if (!isJsonObject(sampling)) return lacks('sampling', { sampling: {} });
      const withTools = params['tools'] !== undefined || params['toolChoice'] !== undefined;
      return withTools && !isJsonObject(sampling['tools'])
        ? lacks('sampling with tools', { sampling: { tools: {} } })
        : undefined;
    }
    case 'roots/list':
      return isJsonObject(capabilities['roots']) ? undefined : lacks('roots', { roots: {} });
    default:
      return { why: 'Method not found', requires: {} };
  }
}

/** `_meta` key by which a server may say what its question is to be called in `inputRequests`. */
const questionKey = 'toolbus/key';

/** The name that the server gives its question; undefined where it gives none that can be one. */
export function nameOfQuestion({ params }: JsonRpcRequest): string | undefined {
  const meta = params?.['_meta'];
  const name = isJsonObject(meta) ? meta[questionKey] : undefined;
  return typeof name === 'string' && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name) ? name : undefined;
}

/** One question of the server that waits for the agent. */
export interface Question {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/**
 * The question as an entry of `inputRequests` (2026-07-28, basic/patterns/mrtr), without what belongs to the hop to the server: its task, its
 * progress token and, for an agent whose revision has none, the id of a URL.
 */
export function inputRequest({ method, params }: Question, { protocolVersion }: AgentContext): JsonObject {
  if (params === undefined) return { method, ...(method !== 'roots/list' && { params: {} }) };
  const { _meta: meta, task: _task, ...rest } = params;
  if (method === 'elicitation/create' && isModernRevision(protocolVersion)) delete rest['elicitationId'];
  if (!isJsonObject(meta)) return { method, params: rest };
  const { progressToken: _token, [relatedTaskKey]: _related, [questionKey]: _key, ...kept } = meta;
  return { method, params: Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept } };
}

/** 2025-11-25, basic/utilities/tasks. */
const relatedTaskKey = 'io.modelcontextprotocol/related-task';

/** The server's task that a message belongs to. */
export function relatedTask(params: JsonObject | undefined): string | undefined {
  const meta = params?.['_meta'];
  const related = isJsonObject(meta) ? meta[relatedTaskKey] : undefined;
  return isJsonObject(related) && typeof related['taskId'] === 'string' ? related['taskId'] : undefined;
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
