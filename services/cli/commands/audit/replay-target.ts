import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { Answer } from '../../../audit/replay/compare.ts';
import type { RecordedCall } from '../../../audit/replay/recorded-call.ts';

/** Where recorded calls are made again. */
export interface ReplayTarget {
  /** For people, and kept with the run. */
  readonly name: string;
  /** The server that a recorded server's calls go to; undefined: none. */
  serverFor(server: string): string | undefined;
  /** Definition of a tool there now; undefined when it is not there. */
  tool(server: string, tool: string): JsonObject | undefined;
  tools(server: string): readonly JsonObject[];
  /** Makes the call, with the server's own names. Waits and asks again where a limit was met. */
  issue(call: RecordedCall, server: string): Promise<Answer>;
  close(): Promise<void>;
}

/** May a tool be called once more? It says of itself that nothing changes, or that a second time changes nothing. */
export function isRepeatable(tool: JsonObject): boolean {
  const hints = tool['annotations'];
  if (typeof hints !== 'object' || hints === null || Array.isArray(hints)) return false;
  return (hints as JsonObject)['readOnlyHint'] === true || (hints as JsonObject)['idempotentHint'] === true;
}

/** The request's parameters, marked as a repetition. */
export function paramsOf({ method, target, arguments: args }: RecordedCall, meta: JsonObject): JsonObject {
  if (method === 'resources/read') return { ...args, uri: target, _meta: meta };
  return { name: target, arguments: args, _meta: meta };
}
