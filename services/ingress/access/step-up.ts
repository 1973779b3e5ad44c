import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { Catalog, View } from '../catalog/catalog.ts';
import { withEveryScope } from '../policy/scopes.ts';
import type { Endpoint } from '../request.ts';

export interface StepUpOptions {
  /** The configuration in force now. */
  config(): Config;
  readonly catalog: Pick<Catalog, 'view'>;
}

/**
 * The scopes that a token lacks for what a body asks for, with spaces between; undefined when it lacks none, or when no scope would help
 * because the agent itself may not. Asked before an answer begins, since a stream cannot turn into a 403.
 */
export type StepUp = (principal: Principal, endpoint: Endpoint, body: unknown) => string | undefined;

export function createStepUp({ config, catalog }: StepUpOptions): StepUp {
  return (principal, endpoint, body) => {
    const held = principal.scopes;
    if (held === undefined) return undefined;
    const now = config();
    const reachable = withEveryScope(principal, now);
    if (reachable === principal) return undefined;
    const full = catalog.view(endpoint, reachable);
    if (full === undefined) return undefined;
    const lacking = new Set<string>();
    for (const message of Array.isArray(body) ? body : [body]) {
      const sees = asked(message);
      if (!sees(full)) continue;
      const may = (scopes: readonly string[]) => {
        const view = catalog.view(endpoint, { ...principal, scopes: [...scopes].sort() });
        return view !== undefined && sees(view);
      };
      if (may([...held, ...lacking])) continue;
      // In the order of the configuration, where the narrow scopes are expected to stand first.
      const scope = Object.keys(now.auth.scopes).find((candidate) => may([...held, ...lacking, candidate]));
      if (scope !== undefined) lacking.add(scope);
    }
    return lacking.size === 0 ? undefined : [...lacking].join(' ');
  };
}

/** Whether a view has what a message names; the view itself is all that other messages need. */
function asked(message: unknown): (view: View) => boolean {
  const anything = () => true;
  if (!isJsonObject(message) || !isJsonObject(message['params'])) return anything;
  const { name, uri, ref } = message['params'];
  switch (message['method']) {
    case 'tools/call':
      return typeof name === 'string' ? (view) => view.tool(name) !== undefined : anything;
    case 'prompts/get':
      return typeof name === 'string' ? (view) => view.prompt(name) !== undefined : anything;
    case 'resources/read':
    case 'resources/subscribe':
      return typeof uri === 'string' ? (view) => view.resource(uri) !== undefined : anything;
    case 'completion/complete':
      return completed(ref);
    default:
      return anything;
  }
}

function completed(ref: JsonValue | undefined): (view: View) => boolean {
  if (!isJsonObject(ref)) return () => true;
  const { name, uri } = ref;
  if (typeof name === 'string') return (view) => view.prompt(name) !== undefined;
  return typeof uri === 'string' ? (view) => view.template(uri) !== undefined : () => true;
}
