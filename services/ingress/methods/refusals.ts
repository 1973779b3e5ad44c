import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import { type RpcError, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { definitionChanged } from '../catalog/withheld.ts';
import type { AgentReply } from '../request.ts';
import type { Objection } from '../validation/check-call.ts';

/** Protocol errors that the ingress answers itself, without asking anybody. */

const maxEcho = 256;

export function invalidParams(message: string, data?: JsonValue, refused = 'invalid_params'): AgentReply {
  const error = { code: rpcCode.invalidParams, message, ...(data === undefined ? {} : { data }) };
  return { kind: 'error', error, refused };
}

export function methodNotFound(method: string): AgentReply {
  const error = { code: rpcCode.methodNotFound, message: `Method not found: ${echo(method)}` };
  return { kind: 'error', error, refused: 'unknown_method' };
}

/** The agent would have to declare these capabilities (2026-07-28, basic/index). */
export function missingCapability(requiredCapabilities: JsonObject): AgentReply {
  return { kind: 'error', error: capabilityError(requiredCapabilities), refused: 'missing_capability' };
}

/** The same as the JSON-RPC error alone. */
export function capabilityError(requiredCapabilities: JsonObject): RpcError {
  const message = 'Missing required client capability';
  return { code: rpcCode.missingClientCapability, message, data: { requiredCapabilities } };
}

/** The same for a tool that does not exist and for one this agent may not use: the answer must not tell them apart. */
export function unknownTool(name: string): AgentReply {
  return invalidParams(`Unknown tool: ${echo(name)}`, undefined, 'unknown_tool');
}

/** Kept back until an operator approves its new definition; only for agents that may use it otherwise. */
export function changedTool(name: string): AgentReply {
  return invalidParams(`Unknown tool: ${echo(name)}`, { reason: definitionChanged }, 'definition_changed');
}

/** A result for the model to read (2026-07-28, server/tools, "Error Handling"); the server was not called. */
export function argumentsRefused(
  { by, text }: Extract<Objection, { kind: 'refused' }>,
  source: { readonly server: string; readonly tool: string },
): AgentReply {
  const body = JSON.stringify({ content: [{ type: 'text', text }], isError: true });
  const refused = by === 'rule' ? 'rule' : 'invalid_arguments';
  return { kind: 'result', resultType: 'complete', body, isError: true, source, refused };
}

/** The server asked for a URL to be opened that no agent shall see: it ran, and failed. */
export function urlRefused(why: string): AgentReply {
  const text = `The server asked the user to open a URL that this gateway does not pass on: ${why}.`;
  const body = JSON.stringify({ content: [{ type: 'text', text }], isError: true });
  return { kind: 'result', resultType: 'complete', body, isError: true };
}

export function unknownPrompt(name: string): AgentReply {
  return invalidParams(`Unknown prompt: ${echo(name)}`, undefined, 'unknown_prompt');
}

/** 2026-07-28, server/resources: `-32602`, with the URI in `data`. */
export function unknownResource(uri: string): AgentReply {
  return invalidParams(`Resource not found: ${echo(uri)}`, { uri }, 'unknown_resource');
}

function echo(text: string): string {
  return text.length <= maxEcho ? text : `${text.slice(0, maxEcho)}…`;
}
