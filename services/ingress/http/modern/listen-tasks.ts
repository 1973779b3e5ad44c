import { setTimeout as sleep } from 'node:timers/promises';
import { createCancellation } from '../../../../shared/cancellation.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { identityOf } from '../../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { isTaskOver } from '../../../../shared/mcp/tasks.ts';
import type { View } from '../../catalog/catalog.ts';
import type { AgentRequest } from '../../request.ts';
import { openTaskId } from '../../state/task-id.ts';
import type { EdgeDeps } from '../edge.ts';
import { createFollowedTasks, type FollowedTask } from './followed-tasks.ts';

/** One stream may watch this many tasks, and one agent this many at this ingress; the acknowledgement leaves out the rest. */
const maxOfStream = 100;
const maxOfAgent = 1_000;
/** What cannot be asked for within this time is not acknowledged. */
const acceptWithinMs = 5_000;
/** Tasks of one stream that are asked for at a time, when it is opened. */
const atATime = 4;
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;

/** Who listens; every look at a task is a request of theirs, with their rights of that moment. */
export type TaskReader = Pick<AgentRequest, 'endpoint' | 'principal' | 'agent' | 'clientAddress'>;

export interface TaskNotices {
  /** The ids that the agent will be told of, once it is clear which of them name a task of this agent. */
  readonly accepted: Promise<readonly string[]>;
  /** After the acknowledgement: tells what is not `working` any more, then every change. */
  start(): void;
  close(): void;
}

export interface TaskListener {
  /** Gets the params of a notification, with the id that the agent knows. */
  notify(params: JsonObject): void;
  /** A task is known no more, and all others have ended. */
  nothingLeft(): void;
}

/** Carries `notifications/tasks` to open streams (ext-tasks, "Task Status Notifications"). */
export interface ListenTasks {
  open(reader: TaskReader, view: View, taskIds: readonly string[], listener: TaskListener): TaskNotices;
}

/** A task of one stream. */
interface Listened {
  readonly taskId: string;
  readonly task: FollowedTask;
  /** As the agent knows it; undefined: it has not been told anything. */
  told: string | undefined;
  looking: boolean;
  lookAgain: boolean;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  over: boolean;
}

type Look = { readonly kind: 'task'; readonly task: JsonObject } | { readonly kind: 'unknown' };

export function createListenTasks(deps: EdgeDeps, nextCallId: () => string): ListenTasks {
  const followed = createFollowedTasks(deps);
  const ofAgent = new Map<string, number>();

  return {
    open(reader, view, taskIds, listener) {
      const { principal } = reader;
      const identity = identityOf(principal);
      const gone = createCancellation();
      const mine: Listened[] = [];
      let started = false;

      const request = (taskId: string): AgentRequest => ({
        ...reader,
        callId: nextCallId(),
        method: 'tasks/get',
        params: { taskId },
        wantsProgress: false,
        headers: {},
        signal: gone.signal,
        receivedAt: performance.now(),
        onNotification() {},
      });

      const lookAt = async (taskId: string): Promise<Look> => {
        const reply = await deps.handle(request(taskId));
        if (reply.kind === 'error') {
          if (reply.error.code === rpcCode.invalidParams) return { kind: 'unknown' };
          throw new Error(`the server answered tasks/get with error ${reply.error.code}`);
        }
        const { body } = reply;
        const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        const result: unknown = JSON.parse(text.toString('utf8'));
        if (!isJsonObject(result)) return { kind: 'unknown' };
        const { resultType: _ofTheResponse, ...task } = result;
        return { kind: 'task', task };
      };

      const tell = (one: Listened, task: JsonObject) => {
        const text = JSON.stringify(task);
        if (text === one.told) return;
        one.told = text;
        listener.notify({ ...task, taskId: one.taskId });
        if (isTaskOver(task['status'])) end(one);
      };

      const end = (one: Listened) => {
        if (one.over) return;
        one.over = true;
        clearTimeout(one.retry);
        followed.release(one.task);
        const left = (ofAgent.get(identity) ?? 0) - 1;
        if (left > 0) ofAgent.set(identity, left);
        else ofAgent.delete(identity);
      };

      /** One look at a time: what changes meanwhile is looked at afterwards. */
      const look = async (one: Listened): Promise<void> => {
        if (one.over) return;
        one.lookAgain = one.looking || !started;
        if (one.lookAgain) return;
        one.looking = true;
        clearTimeout(one.retry);
        try {
          const seen = await lookAt(one.taskId);
          one.failures = 0;
          if (one.over) return;
          if (seen.kind === 'task') tell(one, seen.task);
          // It is over and forgotten, or the agent may not ask for it any more; no notification says so.
          else {
            end(one);
            if (mine.every(({ over }) => over)) listener.nothingLeft();
          }
        } catch (error) {
          if (one.over || gone.signal.aborted) return;
          const waitMs = Math.min(firstRetryMs * 2 ** one.failures, lastRetryMs);
          one.failures += 1;
          const retryAfterMs = error instanceof GatewayError ? (error.retryAfterMs ?? 0) : 0;
          one.retry = setTimeout(() => void look(one), Math.max(waitMs, retryAfterMs)).unref();
        } finally {
          one.looking = false;
          if (one.lookAgain) void look(one);
        }
      };

      const follow = (taskId: string): Listened | undefined => {
        const task = openTaskId(deps.sealer, identity, taskId);
        const count = ofAgent.get(identity) ?? 0;
        if (task === undefined || !view.servers.includes(task.server) || count >= maxOfAgent) return undefined;
        const address = { server: task.server, instance: task.instance, task: task.id };
        const one: Listened = {
          taskId,
          task: followed.follow(address, () => void look(one)),
          told: undefined,
          looking: false,
          lookAgain: false,
          failures: 0,
          retry: undefined,
          over: false,
        };
        ofAgent.set(identity, count + 1);
        mine.push(one);
        return one;
      };

      /** The task as it is now; undefined when it is none, or cannot be asked for in time. */
      const first = async (taskId: string, until: number): Promise<JsonObject | undefined> => {
        while (!gone.signal.aborted) {
          try {
            const seen = await lookAt(taskId);
            return seen.kind === 'task' ? seen.task : undefined;
          } catch (error) {
            const waitMs = error instanceof GatewayError ? error.retryAfterMs : undefined;
            if (waitMs === undefined || performance.now() + waitMs >= until) return undefined;
            await sleep(waitMs, undefined, { ref: false });
          }
        }
        return undefined;
      };

      const initial = new Map<Listened, JsonObject>();
      const accept = async (): Promise<readonly string[]> => {
        const until = performance.now() + acceptWithinMs;
        const candidates = [...new Set(taskIds)].slice(0, maxOfStream).flatMap((taskId) => follow(taskId) ?? []);
        // What changes after this look must be told, so it has to be followed by then.
        await Promise.all(candidates.map(({ task }) => task.watch.active));
        const turns = candidates[Symbol.iterator]();
        const takeTurns = async (): Promise<void> => {
          for (const one of turns) {
            const task = await first(one.taskId, until);
            if (task !== undefined && !accepted.closed) initial.set(one, task);
          }
        };
        const accepted = { closed: false };
        const timeUp = sleep(acceptWithinMs, undefined, { ref: false });
        await Promise.race([Promise.all(Array.from({ length: atATime }, takeTurns)), timeUp]);
        accepted.closed = true;
        for (const one of candidates) if (!initial.has(one)) end(one);
        return [...initial.keys()].map(({ taskId }) => taskId);
      };

      return {
        accepted: accept(),
        start() {
          started = true;
          for (const [one, task] of initial) {
            if (one.over) continue;
            if (task['status'] === 'working') one.told = JSON.stringify(task);
            else tell(one, task);
            // It may have changed between the look at it and now.
            if (one.lookAgain) void look(one);
          }
          initial.clear();
        },
        close() {
          gone.abort();
          for (const one of mine) end(one);
        },
      };
    },
  };
}
