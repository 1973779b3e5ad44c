import type { Call } from '../../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import {
  argumentAt,
  encodeHeaderValue,
  type HeaderParam,
  headerText,
  mcpHeader,
  nameMember,
} from '../../../shared/mcp/mcp-headers.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { isLegacyRevision } from '../../../shared/mcp/revisions.ts';

/** The params of a call with the envelope of 2026-07-28 in `_meta`; unknown keys of `_meta` stay. */
export function modernParams(call: Call, id: number, protocolVersion: string, gateway: JsonObject): JsonObject {
  const { agent, params } = call;
  const own = params['_meta'];
  const meta: JsonObject = {
    ...(isJsonObject(own) && own),
    [metaKey.protocolVersion]: protocolVersion,
    [metaKey.clientCapabilities]: isLegacyRevision(agent.protocolVersion)
      ? bridgedCapabilities(agent.capabilities)
      : agent.capabilities,
    [metaKey.clientInfo]: agent.clientInfo ?? gateway,
  };
  if (agent.logLevel !== undefined) meta[metaKey.logLevel] = agent.logLevel;
  if (call.wantsProgress) meta[metaKey.progressToken] = id;
  return { ...params, _meta: meta };
}

/** A legacy agent's tasks are not the modern extension: declared, they would bring results it cannot read. */
function bridgedCapabilities({ tasks: _tasks, ...capabilities }: JsonObject): JsonObject {
  return capabilities;
}

const traceHeaders: readonly string[] = ['traceparent', 'tracestate'];

/** The request headers that mirror a modern request's body (2026-07-28, basic/transports/streamable-http), as a flat list. */
export function modernHeaders(method: string, params: JsonObject, protocolVersion: string): string[] {
  const headers = [mcpHeader.protocolVersion, protocolVersion, mcpHeader.method, encodeHeaderValue(method)];
  const member = nameMember(method);
  const name = member === undefined ? undefined : params[member];
  if (typeof name === 'string') headers.push(mcpHeader.name, encodeHeaderValue(name));
  return headers;
}

/** Adds the `Mcp-Param-*` headers of a tool call: those its schema asks for from the arguments, unknown ones as the agent sent them. */
export function addParamHeaders(headers: string[], call: Call, declared: readonly HeaderParam[]): void {
  const args: JsonValue | undefined = call.params['arguments'];
  for (const { header, path } of declared) {
    const text = headerText(argumentAt(args, path));
    if (text !== undefined) headers.push(`Mcp-Param-${header}`, encodeHeaderValue(text));
  }
  for (const name in call.headers) {
    const value = call.headers[name];
    if (value === undefined || !/^[\t\x20-\x7e]*$/.test(value)) continue;
    if (traceHeaders.includes(name)) headers.push(name, value);
    else if (name.startsWith(mcpHeader.paramPrefix) && isHeaderName(name) && !isDeclared(name, declared)) {
      headers.push(name, value);
    }
  }
}

function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
}

function isDeclared(name: string, declared: readonly HeaderParam[]): boolean {
  const suffix = name.slice(mcpHeader.paramPrefix.length);
  return declared.some(({ header }) => header.toLowerCase() === suffix);
}
