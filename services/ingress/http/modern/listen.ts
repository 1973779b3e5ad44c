import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { isJsonObject } from '../../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../../shared/mcp/meta.ts';
import type { ListKind, View } from '../../catalog/catalog.ts';
import { rpcErrorBody, sendJson } from '../answers.ts';
import type { EdgeDeps, Exchange } from '../edge.ts';
import type { KeepAlive, Quiet } from '../keep-alive.ts';
import { openSse } from '../sse-writer.ts';
import { honoured, readFilter } from './listen-filter.ts';
import { createResourceUpdates } from './resource-updates.ts';

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

export type Listen = (exchange: Exchange, id: RequestId, params: JsonObject, view: View) => void;

/**
 * Serves `subscriptions/listen` (specification 2026-07-28, basic/patterns/subscriptions): the acknowledgement, then changes until
 * the agent closes, the endpoint is taken from it, or toolbus stops; the last two end with an empty result.
 */
export function createListen(deps: EdgeDeps, keepAlive: KeepAlive): Listen {
  const updates = createResourceUpdates(deps.resources);
  const ends = new Set<() => void>();
  deps.stopping.addEventListener('abort', () => {
    for (const end of [...ends]) end();
  });

  return (exchange, id, params, firstView) => {
    const { res, endpoint, principal } = exchange;
    const filter = readFilter(params['notifications']);
    if (filter === undefined) {
      const message = 'Invalid params: "notifications" is required and must be a valid subscription filter';
      sendJson(res, 200, rpcErrorBody(id, { code: rpcCode.invalidParams, message }));
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

    const send = (method: string, given: JsonObject) => {
      const meta = isJsonObject(given['_meta']) ? given['_meta'] : {};
      const marked = { ...given, _meta: { ...meta, [metaKey.subscriptionId]: id } };
      stream.event(JSON.stringify({ jsonrpc: '2.0', method, params: marked }));
      quiet.lastWrite = performance.now();
    };
    const release = () => {
      for (const undo of releases.splice(0)) undo();
    };
    const end = () => {
      const _meta = { [metaKey.subscriptionId]: id, [metaKey.serverInfo]: view.serverInfo };
      stream.event(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', _meta } }));
      stream.end();
      release();
    };
    const onChange = () => {
      const next = deps.catalog.view(endpoint, principal);
      if (next === undefined) {
        end();
        return;
      }
      const before = view.listVersions;
      view = next;
      for (const { wanted, method, lists } of listNotices) {
        if (accepted[wanted] !== true) continue;
        if (lists.some((list) => before[list] !== next.listVersions[list])) send(method, {});
      }
    };

    send('notifications/subscriptions/acknowledged', { notifications: accepted });
    if (Object.keys(accepted).length === 0) {
      end();
      return;
    }
    keepAlive.watch(quiet);
    ends.add(end);
    releases.push(
      () => keepAlive.release(quiet),
      () => ends.delete(end),
      deps.catalog.onChange(onChange),
      ...resources.map(({ server, target, uri }) =>
        updates.follow(server, target, uri, (update) => send('notifications/resources/updated', update)),
      ),
    );
    res.once('close', release);
    // The agent may be gone before the listener stood.
    if (stream.closed) release();
  };
}
