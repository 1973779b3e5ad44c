import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { JsonRpcFailure, JsonRpcResult } from '../../../shared/mcp/json-rpc.ts';
import { limits } from './limits.ts';
import type { Peer, Waiter } from './peer.ts';

/** How the answer to a request that was given up is read, and what is done when it is a task. */
export interface LateTaskOptions {
  /** The id of the task that a result announces; undefined when it is none. */
  readonly taskIn: (result: JsonObject) => string | undefined;
  /** Called at most once. */
  readonly cancel: (taskId: string) => void;
}

/** Waits for an answer in the place of a call that was given up. Keeps nothing of that call. */
export class LateTask implements Waiter {
  readonly deadline: number;
  private readonly options: LateTaskOptions;
  private readonly done: () => void;

  /** `deadline` in milliseconds of `performance.now()`; `done` is called when an answer came or never will. */
  constructor(options: LateTaskOptions, deadline: number, done: () => void) {
    this.options = options;
    this.deadline = deadline;
    this.done = done;
  }

  onAnswer(answer: JsonRpcResult | JsonRpcFailure): void {
    this.done();
    const task = 'result' in answer ? this.options.taskIn(answer.result) : undefined;
    if (task !== undefined) this.options.cancel(task);
  }

  onLost(): void {
    this.done();
  }
}

/**
 * The requests of one session that were given up before it was known whether they are done as tasks. A task that is announced later is
 * cancelled, because the server would go on with it for nobody.
 */
export interface LateTasks {
  /** Waits on for the answer to this request; nothing when it is there already. */
  expect(id: number, options: LateTaskOptions): void;
  /** Requests that are waited for. */
  readonly size: number;
}

/** `patienceMs`: a request that has no answer after so many milliseconds is forgotten. */
export function createLateTasks(peer: Peer, patienceMs: number): LateTasks {
  /** By request id, oldest first. */
  const expected = new Map<number, LateTask>();
  let timer: NodeJS.Timeout | undefined;

  const remove = (id: number): void => {
    expected.delete(id);
    if (expected.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
  const forget = (id: number): void => {
    remove(id);
    peer.forget(id);
  };
  const sweep = (): void => {
    timer = undefined;
    const now = performance.now();
    for (const [id, { deadline }] of expected) {
      if (deadline > now) {
        timer = setTimeout(sweep, deadline - now).unref();
        return;
      }
      forget(id);
    }
  };

  return {
    expect(id, options) {
      const late = new LateTask(options, performance.now() + patienceMs, () => remove(id));
      if (!peer.handOver(id, late)) return;
      expected.set(id, late);
      const [oldest] = expected.keys();
      if (expected.size > limits.lateTasks && oldest !== undefined) forget(oldest);
      timer ??= setTimeout(sweep, patienceMs).unref();
    },
    get size() {
      return expected.size;
    },
  };
}
