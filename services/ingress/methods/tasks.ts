import { identityOf } from '../../../shared/mcp/call.ts';
import { openTaskId } from '../state/task-id.ts';
import { asAnswer, forward, isGone } from './forward.ts';
import type { Method } from './method.ts';
import { invalidParams } from './refusals.ts';
import { mentions, parseResult } from './result-body.ts';

/** `tasks/get`, `tasks/update`, `tasks/cancel`, `tasks/result`: to the worker that holds the task, whichever ingress is asked. */
export const onTask: Method = async (request, view, deps) => {
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
  return result.taskId === id ? { ...answer, body: JSON.stringify({ ...result, taskId }) } : answer;
};
