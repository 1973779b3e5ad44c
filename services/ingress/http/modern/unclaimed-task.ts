import { createCancellation } from '../../../../shared/cancellation.ts';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';

/**
 * The request that cancels the task which a reply announces, on behalf of the agent that left before it could read that; undefined where the reply
 * is no task. Without it the server would go on for nobody.
 */
export function cancelUnclaimed(request: AgentRequest, reply: AgentReply, callId: string): AgentRequest | undefined {
  if (reply.kind !== 'result' || reply.resultType !== 'task') return undefined;
  const { body } = reply;
  const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  const result: unknown = JSON.parse(text);
  const taskId = isJsonObject(result) ? result['taskId'] : undefined;
  if (typeof taskId !== 'string') return undefined;
  return {
    ...request,
    callId,
    method: 'tasks/cancel',
    params: { taskId },
    headers: {},
    wantsProgress: false,
    signal: createCancellation().signal,
    receivedAt: performance.now(),
  };
}
