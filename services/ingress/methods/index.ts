import type { View } from '../catalog/catalog.ts';
import { withEveryScope } from '../policy/scopes.ts';
import type { AgentReply, AgentRequest, Handle } from '../request.ts';
import { complete } from './completion.ts';
import { listMethod } from './lists.ts';
import type { Method, MethodDeps } from './method.ts';
import { getPrompt } from './prompts.ts';
import { invalidParams } from './refusals.ts';
import { readResource } from './resources.ts';
import { onTask } from './tasks.ts';
import { callTool } from './tools.ts';
import { onVendorMethod } from './vendor.ts';

/** Everything that reaches past the edges. */
const methods: ReadonlyMap<string, Method> = new Map([
  ['tools/call', callTool],
  ['tools/list', listMethod('tools')],
  ['prompts/get', getPrompt],
  ['prompts/list', listMethod('prompts')],
  ['resources/read', readResource],
  ['resources/list', listMethod('resources')],
  ['resources/templates/list', listMethod('resourceTemplates')],
  ['completion/complete', complete],
  ['tasks/get', onTask],
  ['tasks/update', onTask],
  ['tasks/cancel', onTask],
]);

/** They show what more scope would permit; its call then says which (specification, basic/authorization, "Scope Challenge Handling"). */
const lists = new Set(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']);

export type HandleDeps = Omit<MethodDeps, 'now'> & Partial<Pick<MethodDeps, 'now'>>;

/** Answers what agents ask: from the catalog, or through `dispatch`. */
export function createHandle(deps: HandleDeps): Handle {
  const all: MethodDeps = { now: Date.now, ...deps };
  return async (request) => {
    const isList = lists.has(request.method);
    const principal = isList ? withEveryScope(request.principal, deps.config()) : request.principal;
    const view = deps.catalog.view(request.endpoint, principal);
    // The edge answers 404 before; here the endpoint went away in between.
    if (!view) return invalidParams('Unknown endpoint');
    const method = methods.get(request.method) ?? onVendorMethod;
    // Lists come from memory and cost less than to count them; everything else is a call, also of what does not exist.
    if (isList) return method(request, view, all);
    if (deps.follow === undefined) return limited(request, view, method, all);
    return deps.follow(request, all.dispatch, (dispatch) => limited(request, view, method, { ...all, dispatch }));
  };
}

async function limited(request: AgentRequest, view: View, method: Method, deps: MethodDeps): Promise<AgentReply> {
  if (deps.limits === undefined) return method(request, view, deps);
  const pass = deps.limits.admit(request.principal);
  try {
    return await method(request, view, deps);
  } finally {
    pass.leave();
  }
}
