import type { JsonObject } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { isTaskOver } from '../../../shared/mcp/tasks.ts';
import type { Outcome } from './peer.ts';

export interface TaskFollowerOptions {
  /** Asks the server for a task. */
  ask(taskId: string): Promise<Outcome>;
  /** Has the server tell of these tasks, where it can; resolves when it has answered. */
  listen(taskIds: ReadonlySet<string>): Promise<void>;
  /** The tasks that the server has agreed to tell of, and can at this moment. */
  told(): ReadonlySet<string>;
  /** The task is not what it was, or may not be. */
  onChanged(taskId: string): void;
}

/** Notices when tasks of one server change: those that it tells of (ext-tasks, "Task Status Notifications") from that, all others by asking. */
export interface TaskFollower {
  /** Follows these and no others; resolves when the server has been told of them. */
  set(taskIds: ReadonlySet<string>): Promise<void>;
  /** The server tells of a task. */
  notified(params: JsonObject): void;
  /** What the server told for a while did not arrive. */
  missed(): void;
  close(): void;
}

interface Followed {
  /** What is known of it; undefined: nothing yet. */
  state: string | undefined;
  /** When to ask next, in milliseconds of `performance.now()`. */
  askAt: number;
  asking: boolean;
  /** It has ended, or the server knows it no more. */
  over: boolean;
}

const lookMs = 250;
const firstAskMs = 1_000;
const usualAskMs = 2_000;
const minAskMs = 250;
const maxAskMs = 30_000;
const failedAskMs = 5_000;
/** Requests for tasks that one server has to answer at a time. */
const maxAsking = 8;

export function createTaskFollower({ ask, listen, told, onChanged }: TaskFollowerOptions): TaskFollower {
  const followed = new Map<string, Followed>();
  let timer: NodeJS.Timeout | undefined;
  let asking = 0;

  function look(): void {
    const now = performance.now();
    const known = told();
    for (const [taskId, task] of followed) {
      if (asking >= maxAsking) return;
      if (!task.over && !task.asking && task.askAt <= now && !known.has(taskId)) void inquire(taskId, task);
    }
  }

  async function inquire(taskId: string, task: Followed): Promise<void> {
    task.asking = true;
    asking += 1;
    // To the end of the line, so that each has its turn where there are many.
    followed.delete(taskId);
    followed.set(taskId, task);
    try {
      const outcome = await ask(taskId);
      if (followed.get(taskId) === task) take(taskId, task, outcome);
    } catch {
      // Whoever is away may know it when it is back.
      task.askAt = performance.now() + failedAskMs;
    } finally {
      task.asking = false;
      asking -= 1;
    }
  }

  function take(taskId: string, task: Followed, outcome: Outcome): void {
    const gone = 'error' in outcome && outcome.error.code === rpcCode.invalidParams;
    if ('error' in outcome && !gone) {
      task.askAt = performance.now() + failedAskMs;
      return;
    }
    const result = 'error' in outcome ? {} : outcome.result;
    const { status, statusMessage, inputRequests, pollIntervalMs } = result;
    const state = JSON.stringify([status, statusMessage, inputRequests]);
    const wait = typeof pollIntervalMs === 'number' ? pollIntervalMs : usualAskMs;
    task.askAt = performance.now() + Math.min(Math.max(wait, minAskMs), maxAskMs);
    task.over = gone || isTaskOver(status);
    if (state === task.state) return;
    task.state = state;
    onChanged(taskId);
  }

  function follow(taskIds: ReadonlySet<string>): void {
    for (const taskId of followed.keys()) if (!taskIds.has(taskId)) followed.delete(taskId);
    const askAt = performance.now() + firstAskMs;
    for (const taskId of taskIds) {
      if (!followed.has(taskId)) followed.set(taskId, { state: undefined, askAt, asking: false, over: false });
    }
    if (followed.size > 0) timer ??= setInterval(look, lookMs).unref();
    else stop();
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
  }

  return {
    async set(taskIds) {
      follow(taskIds);
      await listen(taskIds);
    },
    notified({ taskId, status }) {
      const task = typeof taskId === 'string' ? followed.get(taskId) : undefined;
      if (typeof taskId !== 'string' || task === undefined) return;
      task.over ||= isTaskOver(status);
      onChanged(taskId);
    },
    missed() {
      for (const taskId of followed.keys()) onChanged(taskId);
    },
    close() {
      stop();
      followed.clear();
    },
  };
}
