import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type CancelSignal, toAbortSignal } from '../../../../shared/cancellation.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import type { AgentReply } from '../../request.ts';
import { Unanswered } from './questions.ts';

/**
 * Turns `input_required` results (2026-07-28, basic/patterns/mrtr) into requests to a legacy agent and calls again with its answers,
 * until there is another result.
 */

/** As the SDK's client: a server that asks on and on is cut off. */
export const maxRounds = 10;
const maxQuestions = 32;
/** A round without questions asks only for another try; without a pause that would spin. */
const emptyRoundMs = 250;

export interface Round {
  readonly capabilities: JsonObject;
  readonly signal: CancelSignal;
  /** Asks the agent; resolves with its JSON-RPC response. */
  ask(method: string, params: JsonObject, signal: CancelSignal): Promise<JsonObject>;
  /** Calls again, with these params on top of the first ones. */
  retry(more: JsonObject): Promise<AgentReply>;
}

type ResultReply = Extract<AgentReply, { kind: 'result' }>;

/**
 * The first reply that is not `input_required`. Throws Unanswered when the agent cannot or does not answer, and the signal's reason when it cancels;
 * a call that is held open for it is then given up.
 */
export async function fulfilInput(first: ResultReply, round: Round): Promise<AgentReply> {
  let reply: AgentReply = first;
  for (let n = 1; reply.kind === 'result' && reply.resultType === 'input_required'; n += 1) {
    const more = await inputFor(reply, n, round).catch((error: unknown) => {
      held(reply)?.abandon();
      throw error;
    });
    reply = await round.retry(more);
  }
  return reply;
}

/** What the retry of a call carries. */
async function inputFor(reply: ResultReply, n: number, round: Round): Promise<JsonObject> {
  // A held call asks of its own accord and at its own pace: its deadline ends it, not our count.
  if (n > maxRounds && reply.held === undefined)
    throw new Unanswered(`The server asked for more input ${maxRounds} times and still is not done`);
  const { questions, state } = readInputRequired(reply.body);
  const more: JsonObject = {};
  if (questions.length > 0) more['inputResponses'] = await askAll(questions, round, reply.held !== undefined);
  else await delay(emptyRoundMs, undefined, { signal: toAbortSignal(round.signal) });
  if (state !== undefined) more['requestState'] = state;
  return more;
}

function held(reply: AgentReply) {
  return reply.kind === 'result' ? reply.held : undefined;
}

interface Question {
  readonly key: string;
  readonly method: string;
  readonly params: JsonObject;
}

function readInputRequired(body: string | Uint8Array): { questions: Question[]; state: string | undefined } {
  const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  const { inputRequests, requestState } = isJsonObject(result) ? result : {};
  const state = typeof requestState === 'string' ? requestState : undefined;
  const entries = isJsonObject(inputRequests) ? Object.entries(inputRequests) : [];
  if (entries.length === 0 && state === undefined)
    throw new Unanswered('The server asked for input without saying which');
  if (entries.length > maxQuestions) throw new Unanswered('The server asked too many questions at once');
  return { questions: entries.map(([key, entry]) => readQuestion(key, entry)), state };
}

function readQuestion(key: string, entry: unknown): Question {
  const { method, params = {} } = isJsonObject(entry) ? entry : {};
  if (typeof method !== 'string' || !isJsonObject(params)) {
    throw new Unanswered('The server asked for input in a form that is not in the protocol');
  }
  return { key, method, params: method === 'elicitation/create' ? legacyElicitation(params) : params };
}

/** URL mode needs an `elicitationId` before 2026-07-28, which has none. */
function legacyElicitation(params: JsonObject): JsonObject {
  if (params['mode'] !== 'url' || params['elicitationId'] !== undefined) return params;
  return { ...params, elicitationId: randomUUID() };
}

async function askAll(questions: readonly Question[], round: Round, isHeld: boolean): Promise<JsonObject> {
  for (const { method, params } of questions) refuseUndeclared(method, params, round.capabilities);
  // When one question fails, nobody needs the answers to the others.
  const failed = new AbortController();
  const signal = AbortSignal.any([toAbortSignal(round.signal), failed.signal]);
  const responses: JsonObject = Object.create(null);
  await Promise.all(
    questions.map(async ({ key, method, params }) => {
      try {
        responses[key] = inputResponse(method, await round.ask(method, params, signal), isHeld);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  return responses;
}

/**
 * A server that asked by itself gets the agent's error as it is. Towards 2026-07-28 an error is a cancelled elicitation; the other kinds have no
 * word for it, so the call fails.
 */
function inputResponse(method: string, response: JsonObject, isHeld: boolean): JsonObject {
  const { result, error } = response;
  if (isJsonObject(result)) return result;
  if (isHeld && isJsonObject(error)) return { error };
  if (method === 'elicitation/create') return { action: 'cancel' };
  const code = isJsonObject(error) && typeof error['code'] === 'number' ? ` (code ${error['code']})` : '';
  throw new Unanswered(`The agent refused ${method}${code}`);
}

function refuseUndeclared(method: string, params: JsonObject, capabilities: JsonObject): void {
  if (!mayAsk(method, params, capabilities)) {
    throw new Unanswered(`The server needs ${method}, which the agent did not declare in its capabilities`);
  }
}

function mayAsk(method: string, params: JsonObject, capabilities: JsonObject): boolean {
  const { elicitation, sampling, roots } = capabilities;
  switch (method) {
    case 'elicitation/create':
      if (!isJsonObject(elicitation)) return false;
      if (params['mode'] === 'url') return elicitation['url'] !== undefined;
      // Before modes existed a bare declaration meant forms (2025-06-18, client/elicitation).
      return elicitation['form'] !== undefined || elicitation['url'] === undefined;
    case 'sampling/createMessage':
      if (!isJsonObject(sampling)) return false;
      return sampling['tools'] !== undefined || (params['tools'] === undefined && params['toolChoice'] === undefined);
    case 'roots/list':
      return isJsonObject(roots);
    default:
      return false;
  }
}
