import { asAnswer, forward } from './forward.ts';
import type { Method } from './method.ts';
import { methodNotFound } from './refusals.ts';

/**
 * Methods of MCP that end at an edge or run from server to agent. An upstream is never sent them for an agent: its connection
 * is the worker's, and `initialize` or `logging/setLevel` would change it for everybody.
 */
const notForwarded = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'tasks/list',
  'tasks/result',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
]);

/**
 * A method toolbus does not know: at a server's own endpoint the server may, if this agent may use all that the pattern
 * `server__method` stands for; elsewhere nobody can tell whom it is for.
 */
export const onVendorMethod: Method = async (request, view, deps) => {
  const { method, params } = request;
  const isForwarded = !notForwarded.has(method) && !method.startsWith('notifications/');
  const server = isForwarded ? view.vendorMethod(method) : undefined;
  if (server === undefined) return methodNotFound(method);
  return asAnswer(await forward(request, { server, params }, deps));
};
