import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { type JsonRpcFailure, type JsonRpcResult, type RpcError, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { isModernRevision } from '../../../shared/mcp/revisions.ts';
import { resultText } from './result-text.ts';
import type { UpstreamAnswer } from './upstream.ts';

/** What a legacy server answered, in the words of the call's agent. Agents of its own era get it as it is. */
export function legacyAnswer(
  answer: JsonRpcResult | JsonRpcFailure,
  bytes: Buffer | undefined,
  call: Call,
): UpstreamAnswer {
  if ('result' in answer) return legacyResult(answer, bytes);
  const { error } = answer;
  if (!isModernRevision(call.agent.protocolVersion)) return { kind: 'error', error };
  switch (error.code) {
    case rpcCode.legacyResourceNotFound:
      return { kind: 'error', error: { ...error, code: rpcCode.invalidParams } };
    case rpcCode.legacyUrlElicitationRequired:
      return urlsFirst(error, call);
    default:
      return { kind: 'error', error };
  }
}

/** A legacy server may not speak modern vocabulary: its result is complete, whatever it calls itself. */
function legacyResult(answer: JsonRpcResult, bytes: Buffer | undefined): UpstreamAnswer {
  const { result } = answer;
  const type = result['resultType'];
  const plain = bytes !== undefined && (type === undefined || type === 'complete');
  const text = plain ? resultText(bytes, answer) : undefined;
  if (type !== undefined) delete result['resultType'];
  return { kind: 'result', resultType: 'complete', result, text };
}

/**
 * A failure after the agent could not be asked says what it lacks (2026-07-28, basic/index, −32021); a server that made do without is
 * content, and so are agents of its own era with what it said.
 */
export function blame(answer: UpstreamAnswer, { agent }: Call, lacking: JsonObject | undefined): UpstreamAnswer {
  if (lacking === undefined || !isModernRevision(agent.protocolVersion)) return answer;
  if (answer.kind === 'result' && answer.result['isError'] !== true) return answer;
  const message = 'Missing required client capability: the server asks in the middle of this call';
  const data = { requiredCapabilities: lacking };
  return { kind: 'error', error: { code: rpcCode.missingClientCapability, message, data } };
}

/** What the agent brings back after it was sent to URLs: nothing is held, the call is made again. */
const urlsState = 'toolbus:urls';

/** −32042 (2025-11-25, client/elicitation) asks the agent to open URLs and to call again, which is `input_required` since 2026-07-28. */
function urlsFirst(error: RpcError, call: Call): UpstreamAnswer {
  const elicitation = call.agent.capabilities['elicitation'];
  if (!isJsonObject(elicitation) || !isJsonObject(elicitation['url'])) {
    const data = { requiredCapabilities: { elicitation: { url: {} } } };
    return { kind: 'error', error: { code: rpcCode.missingClientCapability, message: error.message, data } };
  }
  const inputRequests: JsonObject = {};
  for (const [at, params] of urlsIn(error.data).entries()) {
    const { elicitationId: _id, ...rest } = params;
    inputRequests[`url${at + 1}`] = { method: 'elicitation/create', params: { ...rest, mode: 'url' } };
  }
  if (Object.keys(inputRequests).length === 0) {
    return { kind: 'error', error: { ...error, code: rpcCode.internalError } };
  }
  const result = { resultType: 'input_required', inputRequests, requestState: urlsState };
  return { kind: 'result', resultType: 'input_required', result };
}

function urlsIn(data: JsonValue | undefined): JsonObject[] {
  const elicitations = isJsonObject(data) ? data['elicitations'] : undefined;
  if (!Array.isArray(elicitations)) return [];
  return elicitations.filter(isJsonObject).filter(({ url }) => typeof url === 'string');
}

/** The answer to an agent that comes back from URLs it would not open; undefined for every other call. */
export function refusedUrls({ method, params }: Call): UpstreamAnswer | undefined {
  if (params['requestState'] !== urlsState) return undefined;
  const responses = params['inputResponses'];
  const answers = isJsonObject(responses) ? Object.values(responses) : [];
  if (answers.every((answer) => isJsonObject(answer) && answer['action'] === 'accept')) return undefined;
  const message = 'The server needs a URL to be opened first, and that was declined';
  if (method !== 'tools/call') return { kind: 'error', error: { code: rpcCode.invalidParams, message } };
  return {
    kind: 'result',
    resultType: 'complete',
    result: { content: [{ type: 'text', text: message }], isError: true },
  };
}

/**
 * Params without what a legacy server does not know: answers to questions that it did not ask by itself, and the augmentation with a
 * task, which toolbus does not declare (2025-11-25, basic/utilities/tasks: then it is as if it were not there).
 */
export function legacyParams(params: JsonObject): JsonObject {
  if (params['inputResponses'] === undefined && params['requestState'] === undefined && params['task'] === undefined)
    return params;
  const { inputResponses: _answers, requestState: _state, task: _task, ...rest } = params;
  return rest;
}
