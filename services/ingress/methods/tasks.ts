import { GatewayError } from '../../../shared/errors.ts';
import { identityOf } from '../../../shared/mcp/call.ts';
import { isModernRevision } from '../../../shared/mcp/revisions.ts';
import { hasTasks, tasksRequired } from '../../../shared/mcp/tasks.ts';
import { openTaskId } from '../state/task-id.ts';
import { faultOfQuestions } from '../validation/elicited-urls.ts';
import { asAnswer, forward, isGone } from './forward.ts';
import type { Method } from './method.ts';
import { invalidParams, methodNotFound, missingCapability } from './refusals.ts';
import { mentions, parseResult } from './result-body.ts';

/**
 * `tasks/get`, `tasks/update`, `tasks/cancel` of the extension: to the worker that holds the task, whichever ingress is asked. Agents of older
 * revisions are offered no tasks, so the methods that theirs had do not exist for them.
 */
export const onTask: Method = async (request, view, deps) => {
  const { method, agent } = request;
  if (!isModernRevision(agent.protocolVersion)) return methodNotFound(method);
  if (!hasTasks(agent.capabilities)) return missingCapability(tasksRequired);
  const { taskId } = request.params;
  if (typeof taskId !== 'string') return invalidParams('taskId must be a string');
  const task = openTaskId(deps.sealer, identityOf(request.principal), taskId);
  if (!task || !view.servers.includes(task.server)) return invalidParams('Unknown task');
  const { server, instance, id } = task;
  const destination = {
    server,
    target: id,
    params: { ...request.params, taskId: id },
    // A new process may know the task where the upstream keeps its tasks elsewhere.
    instance: isGone(server, instance, deps) ? undefined : instance,
  };
  const answer = asAnswer(await forward(request, destination, deps));
  if (answer.kind === 'error' || typeof answer.body === 'string' || !mentions(answer.body, 'taskId')) return answer;
  const result = parseResult(answer.body);
  const fault = faultOfQuestions(result);
  if (fault !== undefined) {
    const message = `The task asked the user to open a URL that this gateway does not pass on: ${fault}`;
    throw new GatewayError('bad_upstream_output', message, { executed: 'yes' });
  }
  return result.taskId === id ? { ...answer, body: JSON.stringify({ ...result, taskId }) } : answer;
};
