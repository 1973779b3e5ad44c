/**
 * A server without an SDK whose tools are done as tasks, asked for or not. The tool's name says what becomes of the task. Arguments:
 * `legacy` speaks 2025-11-25, `declared` has the extension and tells of tasks, `http` listens and prints its URL.
 */
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';

interface Task {
  readonly tool: string;
  polls: number;
  answer?: unknown;
  cancelled: number;
  finished: boolean;
}
interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params: {
    readonly name: string;
    readonly taskId: string;
    readonly task?: object;
    readonly inputResponses?: unknown;
    readonly notifications?: { readonly taskIds?: string[] };
    readonly _meta: Record<string, { extensions?: object }>;
  };
}
type Say = (message: object) => void;

const modes = new Set(process.argv.slice(2));
const isLegacy = modes.has('legacy');
const lateMs = 500;
const tasks = new Map<string, Task>();
const listeners = new Map<number, { readonly taskIds: readonly string[]; readonly say: Say }>();
/** What the client did, by name. */
const counts = new Map<string, number>();
const count = (what: string) => void counts.set(what, (counts.get(what) ?? 0) + 1);
const text = (value: string) => ({ content: [{ type: 'text', text: value }] });

const names = ['works', 'fails', 'asks', 'endless', 'late', 'late-question', 'never', 'manual', 'finish', 'counts'];
const plain = new Set(['finish', 'counts']);
const tools = names.map((name) => ({
  name,
  inputSchema: { type: 'object' },
  ...(isLegacy && !plain.has(name) && { execution: { taskSupport: 'required' } }),
}));

function take({ id, method, params }: Message, say: Say) {
  const complete = (result: object) => say({ id, result: { ...(!isLegacy && { resultType: 'complete' }), ...result } });
  const refuse = (code: number, message: string) => say({ id, error: { code, message } });
  count(method);
  switch (method) {
    case 'server/discover': {
      if (isLegacy) return refuse(-32601, 'Method not found');
      const extensions = { 'io.modelcontextprotocol/tasks': {} };
      const capabilities = { tools: {}, ...(modes.has('declared') && { extensions }) };
      return complete({ supportedVersions: ['2026-07-28'], capabilities, ttlMs: 0, cacheScope: 'private' });
    }
    case 'initialize': {
      const capabilities = { tools: {}, tasks: { cancel: {}, requests: { tools: { call: {} } } } };
      return complete({ protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'tasks', version: '1' } });
    }
    case 'tools/list':
      return complete({ tools, ttlMs: 0, cacheScope: 'private' });
    case 'tools/call':
      return call(params.name, id, say, complete);
    case 'subscriptions/listen': {
      const taskIds = (params.notifications?.taskIds ?? []).filter((taskId) => tasks.has(taskId));
      const meta = { 'io.modelcontextprotocol/subscriptionId': id };
      if (id !== undefined) listeners.set(id, { taskIds, say });
      if (taskIds.length > 0)
        count(`listened ${JSON.stringify(params._meta['io.modelcontextprotocol/clientCapabilities'])}`);
      return say({
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { taskIds }, _meta: meta },
      });
    }
    case 'tasks/get': {
      if (!tasks.has(params.taskId)) return refuse(-32602, 'Unknown task');
      return complete({ taskId: params.taskId, ttlMs: null, pollIntervalMs: 10, ...stateOf(params.taskId) });
    }
    case 'tasks/result':
      return tasks.get(params.taskId)?.tool === 'works' ? complete(text('done')) : undefined;
    case 'tasks/update': {
      const task = tasks.get(params.taskId);
      if (task !== undefined) task.answer = params.inputResponses;
      return complete({});
    }
    case 'tasks/cancel': {
      const task = tasks.get(params.taskId);
      if (task !== undefined) task.cancelled += 1;
      return complete({});
    }
    default:
      if (id !== undefined) refuse(-32601, 'Method not found');
  }
}

function call(tool: string, id: number | undefined, say: Say, complete: Say) {
  if (tool === 'counts') {
    const cancelled = [...tasks.values()].reduce((sum, task) => sum + task.cancelled, 0);
    return complete(text(JSON.stringify({ ...Object.fromEntries(counts), tasks: tasks.size, cancelled })));
  }
  if (tool === 'finish') {
    for (const [taskId, task] of tasks) {
      if (task.tool !== 'manual' || task.finished) continue;
      task.finished = true;
      for (const [id, listener] of listeners) {
        if (!listener.taskIds.includes(taskId)) continue;
        const meta = { 'io.modelcontextprotocol/subscriptionId': id };
        listener.say({ method: 'notifications/tasks', params: { taskId, ...stateOf(taskId), _meta: meta } });
      }
    }
    return complete(text('finished'));
  }
  if (tool === 'never') return;
  const taskId = `task-${tasks.size + 1}`;
  const begin = () => {
    tasks.set(taskId, { tool, polls: 0, cancelled: 0, finished: false });
    const state = { taskId, status: 'working', pollIntervalMs: 10 };
    say({ id, result: isLegacy ? { task: { ...state, ttl: null } } : { resultType: 'task', ...state, ttlMs: null } });
    if (tool !== 'late-question') return;
    const related = { 'io.modelcontextprotocol/related-task': { taskId } };
    say({ id: 'question', method: 'elicitation/create', params: { message: 'who?', _meta: related } });
  };
  if (tool.startsWith('late')) setTimeout(begin, lateMs);
  else begin();
}

function stateOf(taskId: string): object {
  const task = tasks.get(taskId);
  if (task === undefined) return {};
  task.polls += 1;
  if (task.tool === 'manual') {
    return task.finished ? { status: 'completed', result: text('done') } : { status: 'working' };
  }
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

const line = (message: object) => JSON.stringify({ jsonrpc: '2.0', ...message });

if (modes.has('http')) {
  const server = createServer(async (req, res) => {
    const message: Message = JSON.parse(await readAll(req));
    res.once('close', () => {
      if (!res.writableFinished) count('closed');
    });
    const isStream = message.method === 'subscriptions/listen';
    if (message.id === undefined) return void res.writeHead(202).end();
    res.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
    take(message, (said) => {
      if (isStream) res.write(`data: ${line(said)}\n\n`);
      else res.end(line(said));
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object') process.stdout.write(`http://127.0.0.1:${address?.port}/mcp\n`);
  });
} else {
  createInterface({ input: process.stdin }).on('line', (read) => {
    const message: Message = JSON.parse(read);
    if (message.method !== undefined) take(message, (said) => process.stdout.write(`${line(said)}\n`));
    else count(`answered ${line(message)}`);
  });
}
