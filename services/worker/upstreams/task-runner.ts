import type { CancelSignal } from '../../../shared/cancellation.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { AgentContext, Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { type RpcError, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { tasksExtension } from '../../../shared/mcp/tasks.ts';
import { abortError } from './abort.ts';
import type { UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

/** Makes one call, and nothing else. */
export type PlainCall = (call: Call, options: UpstreamCallOptions) => Promise<UpstreamAnswer>;

/** The id of the task that a result is; undefined for every other result. */
export function taskIn({ resultType, taskId }: JsonObject): string | undefined {
  return resultType === 'task' && typeof taskId === 'string' ? taskId : undefined;
}

/**
 * Makes a call for an agent that has no tasks: a server that answers with one all the same is asked for its state until the task is over, and
 * the task's result is the answer. What the task asks meanwhile goes to the agent as questions of the call.
 */
export async function callWithoutTasks(
  call: Call,
  options: UpstreamCallOptions,
  plain: PlainCall,
): Promise<UpstreamAnswer> {
  const bare: Call = { ...call, agent: { ...call.agent, capabilities: withoutTasks(call.agent.capabilities) } };
  const task = taskOfState(call.params['requestState']);
  if (task === undefined) {
    const answer = await plain(bare, options);
    if (answer.kind === 'error' || answer.resultType !== 'task') return answer;
    const { taskId } = answer.result;
    if (typeof taskId !== 'string') throw noTask();
    return follow(taskId, answer.result, bare, options, plain);
  }
  const { inputResponses = {} } = call.params;
  const updated = await cancelledWith(task, bare, options, plain, () =>
    plain(taskCall(bare, 'tasks/update', task, { inputResponses }), options),
  );
  return updated.kind === 'error' ? updated : follow(task, {}, bare, options, plain);
}

const firstPollMs = 250;
const minPollMs = 100;
const maxPollMs = 10_000;
const cancelMs = 10_000;

function follow(
  taskId: string,
  seed: JsonObject,
  call: Call,
  options: UpstreamCallOptions,
  plain: PlainCall,
): Promise<UpstreamAnswer> {
  return cancelledWith(taskId, call, options, plain, async () => {
    for (let state = seed; ; ) {
      await sleep(pollMs(state), options.signal);
      const answer = await plain(taskCall(call, 'tasks/get', taskId), options);
      if (answer.kind === 'error') return answer;
      state = answer.result;
      const settled = settledAnswer(taskId, state);
      if (settled !== undefined) return settled;
    }
  });
}

/** A task whose agent leaves meanwhile is of no use to anybody. */
async function cancelledWith(
  taskId: string,
  call: Call,
  { signal }: UpstreamCallOptions,
  plain: PlainCall,
  run: () => Promise<UpstreamAnswer>,
): Promise<UpstreamAnswer> {
  try {
    return await run();
  } catch (error) {
    if (signal.aborted) cancelTask(taskId, call, plain);
    throw error;
  }
}

/** The answer that a task in this state makes; undefined while it works. */
function settledAnswer(
  taskId: string,
  { status, result, error, inputRequests }: JsonObject,
): UpstreamAnswer | undefined {
  switch (status) {
    case 'working':
      return undefined;
    case 'completed':
      if (!isJsonObject(result)) throw noTask();
      return { kind: 'result', resultType: 'complete', result: withoutType(result) };
    case 'failed':
      return { kind: 'error', error: errorOf(error) };
    case 'cancelled':
      return { kind: 'error', error: { code: rpcCode.internalError, message: 'The server cancelled the task' } };
    case 'input_required': {
      const asked = {
        resultType: 'input_required',
        inputRequests: inputRequests ?? {},
        requestState: stateOfTask(taskId),
      };
      return { kind: 'result', resultType: 'input_required', result: asked };
    }
    default:
      throw noTask();
  }
}

/** Asks the server once to end a task, on behalf of the agent of the call that became it. */
export function cancelTask(taskId: string, call: Call, plain: PlainCall): void {
  const signal = AbortSignal.timeout(cancelMs);
  plain(taskCall(call, 'tasks/cancel', taskId), { signal, onNotification() {} }).catch(() => {});
}

function taskCall(call: Call, method: string, taskId: string, more: JsonObject = {}): Call {
  return {
    ...call,
    method,
    target: taskId,
    params: { ...more, taskId },
    wantsProgress: false,
    agent: asTaskClient(call.agent),
  };
}

/** Requests about a task need the extension declared; by us, who have it. */
function asTaskClient(agent: AgentContext): AgentContext {
  const { extensions } = agent.capabilities;
  const capabilities = {
    ...agent.capabilities,
    extensions: { ...(isJsonObject(extensions) && extensions), [tasksExtension]: {} },
  };
  return { ...agent, capabilities };
}

function withoutTasks(capabilities: JsonObject): JsonObject {
  const { extensions } = capabilities;
  if (!isJsonObject(extensions) || extensions[tasksExtension] === undefined) return capabilities;
  const { [tasksExtension]: _tasks, ...others } = extensions;
  return { ...capabilities, extensions: others };
}

const statePrefix = 'toolbus:task:';

function stateOfTask(taskId: string): string {
  return `${statePrefix}${taskId}`;
}

function taskOfState(state: unknown): string | undefined {
  return typeof state === 'string' && state.startsWith(statePrefix) ? state.slice(statePrefix.length) : undefined;
}

function pollMs({ pollIntervalMs }: JsonObject): number {
  if (typeof pollIntervalMs !== 'number') return firstPollMs;
  return Math.min(Math.max(pollIntervalMs, minPollMs), maxPollMs);
}

function withoutType(result: JsonObject): JsonObject {
  if (result['resultType'] !== 'complete') return result;
  const { resultType: _complete, ...rest } = result;
  return rest;
}

function errorOf(error: unknown): RpcError {
  const { code, message, data } = isJsonObject(error) ? error : {};
  if (typeof code !== 'number' || !Number.isInteger(code) || typeof message !== 'string') throw noTask();
  return { code, message, ...(data !== undefined && { data }) };
}

function noTask(): GatewayError {
  return new GatewayError('bad_upstream_output', 'the upstream server answered with a task that is none');
}

function sleep(ms: number, signal: CancelSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(abortError(signal, 'unknown'));
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(abortError(signal, 'unknown'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
