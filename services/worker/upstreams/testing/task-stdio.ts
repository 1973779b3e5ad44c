/** A server of 2026-07-28 without an SDK whose tools are done as tasks, asked for or not. The tool's name says how the task ends. */
import { createInterface } from 'node:readline';

const say = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (value: string) => ({ content: [{ type: 'text', text: value }] });

interface Task {
  readonly tool: string;
  polls: number;
  answer?: unknown;
  cancelled: boolean;
}
const tasks = new Map<string, Task>();

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const complete = (result: object) => say({ id, result: { resultType: 'complete', ...result } });
  switch (method) {
    case 'server/discover':
      return complete({
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: 'private',
      });
    case 'tools/list':
      return complete({ tools: [], ttlMs: 0, cacheScope: 'private' });
    case 'tools/call': {
      if (params.name === 'cancelled')
        return complete(text(String([...tasks.values()].filter(({ cancelled }) => cancelled).length)));
      const taskId = `task-${tasks.size + 1}`;
      tasks.set(taskId, { tool: params.name, polls: 0, cancelled: false });
      return say({ id, result: { resultType: 'task', taskId, status: 'working', pollIntervalMs: 10, ttlMs: null } });
    }
    case 'tasks/get':
      return complete({ taskId: params.taskId, ttlMs: null, pollIntervalMs: 10, ...stateOf(params.taskId) });
    case 'tasks/update': {
      const task = tasks.get(params.taskId);
      if (task !== undefined) task.answer = params.inputResponses;
      return complete({});
    }
    case 'tasks/cancel': {
      const task = tasks.get(params.taskId);
      if (task !== undefined) task.cancelled = true;
      return complete({});
    }
    default:
      if (id !== undefined) say({ id, error: { code: -32601, message: 'Method not found' } });
      return;
  }
});

function stateOf(taskId: string): object {
  const task = tasks.get(taskId);
  if (task === undefined) return { status: 'failed', error: { code: -32602, message: 'Unknown task' } };
  task.polls += 1;
  if (task.polls < 3 || task.tool === 'endless') return { status: 'working' };
  switch (task.tool) {
    case 'fails':
      return { status: 'failed', error: { code: -32050, message: 'it did not work' } };
    case 'asks':
      if (task.answer === undefined)
        return { status: 'input_required', inputRequests: { who: { method: 'elicitation/create', params: {} } } };
      return { status: 'completed', result: text(JSON.stringify(task.answer)) };
    default:
      return { status: 'completed', result: text('done') };
  }
}
