import type { JsonValue } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { AgentReply } from '../request.ts';

/** Protocol errors that the ingress answers itself, without asking anybody. */

const maxEcho = 256;

export function invalidParams(message: string, data?: JsonValue): AgentReply {
  return { kind: 'error', error: { code: rpcCode.invalidParams, message, ...(data === undefined ? {} : { data }) } };
}

export function methodNotFound(method: string): AgentReply {
  return { kind: 'error', error: { code: rpcCode.methodNotFound, message: `Method not found: ${echo(method)}` } };
}

/** The same for a tool that does not exist and for one this agent may not use: the answer must not tell them apart. */
export function unknownTool(name: string): AgentReply {
  return invalidParams(`Unknown tool: ${echo(name)}`);
}

export function unknownPrompt(name: string): AgentReply {
  return invalidParams(`Unknown prompt: ${echo(name)}`);
}

/** 2026-07-28, server/resources: `-32602`, with the URI in `data`. */
export function unknownResource(uri: string): AgentReply {
  return invalidParams(`Resource not found: ${echo(uri)}`, { uri });
}

function echo(text: string): string {
  return text.length <= maxEcho ? text : `${text.slice(0, maxEcho)}…`;
}
