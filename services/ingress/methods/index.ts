import type { Handle } from '../request.ts';
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
  ['tasks/result', onTask],
]);

export type HandleDeps = Omit<MethodDeps, 'now'> & Partial<Pick<MethodDeps, 'now'>>;

/** Answers what agents ask: from the catalog, or through `dispatch`. */
export function createHandle(deps: HandleDeps): Handle {
  const all: MethodDeps = { now: Date.now, ...deps };
  return async (request) => {
    const view = deps.catalog.view(request.endpoint, request.principal);
    // The edge answers 404 before; here the endpoint went away in between.
    if (!view) return invalidParams('Unknown endpoint');
    const method = methods.get(request.method) ?? onVendorMethod;
    return method(request, view, all);
  };
}
