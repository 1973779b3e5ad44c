import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import { hasTasks, tasksRequired } from '../../../../shared/mcp/tasks.ts';
import type { ListKind, View } from '../../catalog/catalog.ts';
import { capabilityError } from '../../methods/refusals.ts';
import { rpcErrorBody, sendJson } from '../answers.ts';
import type { EdgeDeps, Exchange } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { createResourceUpdates } from '../resource-updates.ts';
import { openSse } from '../sse-writer.ts';
import type { Envelope } from './envelope.ts';
import { honoured, readFilter } from './listen-filter.ts';
import { createListenTasks } from './listen-tasks.ts';
import { statusOf } from './refusal.ts';

/** Milliseconds between comments on a quiet stream. */
const quietMs = 15_000;

/** Which lists each `list_changed` notification is about. */
const listNotices = [
  { wanted: 'toolsListChanged', method: 'notifications/tools/list_changed', lists: ['tools'] },
  { wanted: 'promptsListChanged', method: 'notifications/prompts/list_changed', lists: ['prompts'] },
  {
    wanted: 'resourcesListChanged',
    method: 'notifications/resources/list_changed',
    lists: ['resources', 'resourceTemplates'],
  },
] as const satisfies readonly { wanted: string; method: string; lists: readonly ListKind[] }[];

/** ext-tasks, "Task Status Notifications". */
const tasksMissing = capabilityError(tasksRequired);

export type Listen = (exchange: Exchange, id: RequestId, envelope: Envelope, view: View) => void;

export interface ListenOptions {
  readonly deps: EdgeDeps;
  readonly keepAlive: KeepAlive;
  readonly nextCallId: () => string;
}

/**
 * Serves `subscriptions/listen` (specification 2026-07-28, basic/patterns/subscriptions): the acknowledgement, then changes until
 * the agent closes, the endpoint is taken from it, or toolbus stops; the last two end with an empty result.
 */
export function createListen({ deps, keepAlive, nextCallId }: ListenOptions): Listen {
  const updates = createResourceUpdates(deps.resources, deps.catalog);
  const listenTasks = createListenTasks(deps, nextCallId);
  const ends = new Set<() => void>();
  deps.stopping.addEventListener('abort', () => {
    for (const end of [...ends]) end();
  });

  return (exchange, id, { agent, params }, firstView) => {
    const { res, endpoint, principal, clientAddress } = exchange;
    const filter = readFilter(params['notifications']);
    if (filter === undefined) {
      const message = 'Invalid params: "notifications" is required and must be a valid subscription filter';
      sendJson(res, 200, rpcErrorBody(id, { code: rpcCode.invalidParams, message }));
      return;
    }
    const { taskIds = [] } = filter;
    if (taskIds.length > 0 && !hasTasks(agent.capabilities)) {
      sendJson(res, statusOf(tasksMissing.code), rpcErrorBody(id, tasksMissing));
      return;
    }
    const { accepted, resources } = honoured(filter, firstView);
    let view = firstView;
    const stream = openSse(res);
    const quiet: Quiet = {
      lastWrite: performance.now(),
      quietMs,
      onQuiet: () => stream.comment('keep-alive'),
    };
    const releases: (() => void)[] = [];
    /** What happens before the acknowledgement, which must be the first message. */
    let early: (() => void)[] | undefined = [];

    const write = (method: string, given: JsonObject) => {
      const meta = isJsonObject(given['_meta']) ? given['_meta'] : {};
      const marked = { ...given, _meta: { ...meta, [metaKey.subscriptionId]: id } };
      stream.event(JSON.stringify({ jsonrpc: '2.0', method, params: marked }));
      quiet.lastWrite = performance.now();
    };
    const send = (method: string, given: JsonObject) => {
      if (early === undefined) write(method, given);
      else early.push(() => write(method, given));
    };
    const release = () => {
      for (const undo of releases.splice(0)) undo();
    };
    const end = () => {
      acknowledge();
      const _meta = { [metaKey.subscriptionId]: id, [metaKey.serverInfo]: view.serverInfo };
      stream.event(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', _meta } }));
      stream.end();
      release();
    };
    const acknowledge = () => {
      if (early === undefined) return;
      const waiting = early;
      early = undefined;
      write('notifications/subscriptions/acknowledged', { notifications: accepted });
      for (const send of waiting) send();
    };
    const onChange = () => {
      const next = deps.catalog.view(endpoint, principal);
      if (next === undefined) {
        end();
        return;
      }
      const before = view.listVersions;
      view = next;
      subscriptions.refresh();
      for (const { wanted, method, lists } of listNotices) {
        if (accepted[wanted] !== true) continue;
        if (lists.some((list) => before[list] !== next.listVersions[list])) send(method, {});
      }
    };

    const isEmpty = () => Object.keys(accepted).length === 0;
    if (isEmpty() && taskIds.length === 0) {
      end();
      return;
    }
    const subscriptions = updates.open({ endpoint, principal }, (params) =>
      send('notifications/resources/updated', params),
    );
    const active = resources.map(({ uri }) => subscriptions.add(uri));
    const reader = { endpoint, principal, agent, clientAddress };
    const tasks =
      taskIds.length === 0
        ? undefined
        : listenTasks.open(reader, firstView, taskIds, {
            notify: (params) => send('notifications/tasks', params),
            nothingLeft() {
              delete accepted.taskIds;
              if (isEmpty()) end();
            },
          });
    keepAlive.watch(quiet);
    ends.add(end);
    releases.push(
      () => keepAlive.release(quiet),
      () => ends.delete(end),
      deps.catalog.onChange(onChange),
      () => subscriptions.close(),
      () => tasks?.close(),
    );
    res.once('close', release);
    // The agent may be gone before the listener stood.
    if (stream.closed) return release();
    // What changes after the acknowledgement must be told, so the server has to be subscribed to by then.
    void Promise.all([tasks?.accepted, ...active]).then(([known = []]) => {
      if (known.length > 0) accepted.taskIds = [...known];
      if (isEmpty()) return end();
      acknowledge();
      tasks?.start();
    });
  };
}
