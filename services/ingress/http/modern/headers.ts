import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import {
  argumentAt,
  decodeHeaderValue,
  type HeaderParam,
  headerMatches,
  headerText,
  mcpHeader,
  nameMember,
  scanHeaderParams,
} from '../../../../shared/mcp/mcp-headers.ts';
import { goesOn, isTraceMember } from '../../../../shared/mcp/trace-context.ts';
import { headerMismatch, type Refusal } from './refusal.ts';

/** `MCP-Protocol-Version` and `Mcp-Method`, where present, against the body; what runs before the version is known to be ours. */
export function checkClaims(
  headers: IncomingHttpHeaders,
  version: string | undefined,
  method: string,
): Refusal | undefined {
  const named = single(headers, mcpHeader.protocolVersion);
  if (named !== undefined && version !== undefined && named !== version) {
    return headerMismatch('MCP-Protocol-Version', 'differs from the protocol version in _meta');
  }
  const stated = single(headers, mcpHeader.method);
  if (stated !== undefined && stated !== method)
    return headerMismatch('Mcp-Method', 'differs from the method of the body');
  return undefined;
}

/** The standard headers that every modern request must carry, `Mcp-Name` against the member it mirrors. */
export function checkStandardHeaders(
  headers: IncomingHttpHeaders,
  method: string,
  params: JsonObject,
): Refusal | undefined {
  if (single(headers, mcpHeader.protocolVersion) === undefined) {
    return headerMismatch('MCP-Protocol-Version', 'the required header is missing');
  }
  if (single(headers, mcpHeader.method) === undefined)
    return headerMismatch('Mcp-Method', 'the required header is missing');
  const member = nameMember(method);
  if (member === undefined) return undefined;
  const expected = params[member];
  const header = single(headers, mcpHeader.name);
  if (header === undefined) {
    // A body without the member is the method's own error (-32602), not the header's.
    return typeof expected === 'string' ? headerMismatch('Mcp-Name', 'the required header is missing') : undefined;
  }
  const name = decodeHeaderValue(header);
  if (name === undefined) return headerMismatch('Mcp-Name', 'holds no valid Base64');
  if (typeof expected === 'string' && name !== expected)
    return headerMismatch('Mcp-Name', `differs from params.${member}`);
  return undefined;
}

/** The arguments that a tool's schema mirrors into headers. */
export type HeaderParams = (definition: JsonObject) => readonly HeaderParam[];

/** Scans each tool definition once: definitions are immutable and live as long as the catalog holds them. */
export function createHeaderParams(): HeaderParams {
  const scanned = new WeakMap<JsonObject, readonly HeaderParam[]>();
  return (definition) => {
    const known = scanned.get(definition);
    if (known !== undefined) return known;
    const scan = scanHeaderParams(definition['inputSchema']);
    const params = scan.ok ? scan.params : [];
    scanned.set(definition, params);
    return params;
  };
}

/** `Mcp-Param-*` of a tools/call against the arguments ("Server Behavior for Custom Headers"). */
export function checkParamHeaders(
  headers: IncomingHttpHeaders,
  declared: readonly HeaderParam[],
  params: JsonObject,
): Refusal | undefined {
  if (declared.length === 0) return undefined;
  const given = params['arguments'];
  const args = isJsonObject(given) ? given : undefined;
  for (const { header, path } of declared) {
    const value = argumentAt(args, path);
    if (headerText(value) === undefined) continue;
    const sent = single(headers, mcpHeader.paramPrefix + header.toLowerCase());
    const name = `Mcp-Param-${header}`;
    if (sent === undefined) return headerMismatch(name, 'missing, although the body has a value');
    const decoded = decodeHeaderValue(sent);
    if (decoded === undefined) return headerMismatch(name, 'holds no valid Base64');
    if (!headerMatches(decoded, value)) return headerMismatch(name, `differs from arguments.${path.join('.')}`);
  }
  return undefined;
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

/** The headers that travel with the call: every `Mcp-Param-*`, also ones no schema declares, and W3C trace context. */
export function forwardedHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  let kept: Record<string, string> | undefined;
  for (const name of Object.keys(headers)) {
    const isTrace = isTraceMember(name);
    if (!name.startsWith(mcpHeader.paramPrefix) && !isTrace) continue;
    const value = single(headers, name);
    if (value === undefined || (isTrace && !goesOn(name, value, headers['traceparent']))) continue;
    kept ??= {};
    kept[name] = value;
  }
  return kept ?? noHeaders;
}

function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value.trim() : undefined;
}
