import type { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { hasTasks } from '../../../shared/mcp/tasks.ts';
import type { Waiter } from './peer.ts';
import type { Introduction, ListKind } from './session.ts';

export interface OpenListen {
  /** Request id, which is the subscription id of the notices. */
  readonly id: number;
  close(): void;
}

export interface ListenerOptions {
  readonly introduction: Introduction;
  open(notifications: JsonObject, waiter: Waiter): OpenListen;
  /** The stream was away for a while: this list may have changed unseen. */
  onMissedChanges(kind: ListKind): void;
  /** Likewise: tasks may have changed unseen. */
  onMissedTasks(): void;
  onUnreachable(error: GatewayError): void;
}

/** Keeps one `subscriptions/listen` stream open for list changes, subscribed resources and tasks (2026-07-28, basic/patterns/subscriptions). */
export interface Listener {
  start(): void;
  /** Resolves when the server has acknowledged the new set, refused it, or said nothing for 10 s. */
  setResources(uris: ReadonlySet<string>): Promise<void>;
  /** Likewise; does nothing where the server does not have the extension or refuses to tell of tasks. */
  setTasks(taskIds: ReadonlySet<string>): Promise<void>;
  /** The tasks that the open stream tells of. */
  toldTasks(): ReadonlySet<string>;
  acknowledged(params: JsonObject, origin: Waiter | undefined): void;
  close(): void;
}

const firstRetryMs = 1_000;
const lastRetryMs = 30_000;
const acknowledgeMs = 10_000;

interface Attempt extends Waiter {
  stream: OpenListen | undefined;
  /** Acknowledged. */
  tasks: ReadonlySet<string>;
  done(): void;
}

export function createListener(options: ListenerOptions): Listener {
  const kinds = changingKinds(options.introduction.capabilities);
  let tellsTasks = hasTasks(options.introduction.capabilities);
  let resources: readonly string[] = [];
  let tasks: readonly string[] = [];
  let current: Attempt | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failures = 0;
  let closed = false;

  function wanted(): JsonObject | undefined {
    const filter: JsonObject = Object.fromEntries(kinds.map((kind) => [`${kind}ListChanged`, true]));
    if (resources.length > 0) filter['resourceSubscriptions'] = [...resources];
    if (tasks.length > 0) filter['taskIds'] = [...tasks];
    return Object.keys(filter).length === 0 ? undefined : filter;
  }

  function open(done: () => void): void {
    clearTimeout(retry);
    const previous = current;
    const filter = wanted();
    const finish = once(() => {
      previous?.stream?.close();
      done();
    });
    if (filter === undefined || closed) {
      current = undefined;
      finish();
      return;
    }
    const attempt: Attempt = {
      stream: undefined,
      tasks: nothing,
      done: finish,
      // A result is the graceful end of the stream.
      onAnswer: (answer) => ended(attempt, 'error' in answer ? 'refused' : 'lost'),
      onLost: (error) => {
        if (error.reason === 'no_worker' && current === attempt && !closed) options.onUnreachable(error);
        ended(attempt, 'lost');
      },
    };
    current = attempt;
    attempt.stream = options.open(filter, attempt);
    setTimeout(finish, acknowledgeMs).unref();
  }

  function ended(attempt: Attempt, how: 'refused' | 'lost'): void {
    attempt.stream = undefined;
    attempt.tasks = nothing;
    attempt.done();
    if (current !== attempt || closed) return;
    current = undefined;
    // A server that refuses to be listened to will do so again, unless it was for the tasks.
    if (how === 'refused') {
      if (tasks.length > 0) withoutTasks();
      return;
    }
    const delayMs = Math.min(firstRetryMs * 2 ** failures, lastRetryMs);
    failures += 1;
    retry = setTimeout(() => {
      open(() => {});
      for (const kind of kinds) options.onMissedChanges(kind);
      if (tasks.length > 0) options.onMissedTasks();
    }, delayMs).unref();
  }

  function withoutTasks(): void {
    tellsTasks = false;
    tasks = [];
    open(() => {});
  }

  return {
    start: () => open(() => {}),
    setResources(uris) {
      resources = [...uris];
      return new Promise((resolve) => open(resolve));
    },
    setTasks(taskIds) {
      if (!tellsTasks || (taskIds.size === 0 && tasks.length === 0)) return Promise.resolve();
      tasks = [...taskIds];
      return new Promise((resolve) => open(resolve));
    },
    toldTasks: () => current?.tasks ?? nothing,
    acknowledged(params, origin) {
      const meta = params['_meta'];
      const id = isJsonObject(meta) ? meta[metaKey.subscriptionId] : undefined;
      if (current === undefined || (origin !== current && id !== current.stream?.id)) return;
      failures = 0;
      current.tasks = tasksIn(params['notifications']);
      current.done();
    },
    close() {
      closed = true;
      clearTimeout(retry);
      current?.stream?.close();
      current = undefined;
    },
  };
}

function changingKinds(capabilities: JsonObject): ListKind[] {
  return (['tools', 'prompts', 'resources'] as const).filter((kind) => {
    const capability = capabilities[kind];
    return isJsonObject(capability) && capability['listChanged'] === true;
  });
}

const nothing: ReadonlySet<string> = new Set();

function tasksIn(notifications: JsonValue | undefined): ReadonlySet<string> {
  const taskIds = isJsonObject(notifications) ? notifications['taskIds'] : undefined;
  return Array.isArray(taskIds) ? new Set(taskIds.filter((id) => typeof id === 'string')) : nothing;
}

function once(run: () => void): () => void {
  let ran = false;
  return () => {
    if (ran) return;
    ran = true;
    run();
  };
}
