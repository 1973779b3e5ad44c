import type { IncomingHttpHeaders } from 'node:http';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { rpcCode } from '../../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../../shared/mcp/mcp-headers.ts';
import { isModernRevision, modernRevisions } from '../../../../shared/mcp/revisions.ts';
import type { View } from '../../catalog/catalog.ts';
import { type Envelope, openEnvelope } from './envelope.ts';
import { checkClaims, checkParamHeaders, checkStandardHeaders, type HeaderParams } from './headers.ts';
import { methodNotFound, type Refusal, refusal } from './refusal.ts';

/** Methods of older revisions that 2026-07-28 took away; servers must not be asked for them. */
const removedMethods: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/**
 * What a modern request must pass, top to bottom, before anything acts on it (specification 2026-07-28,
 * basic/transports/streamable-http, "Server Validation"; the order is the SDK's).
 */
export function climb(
  headers: IncomingHttpHeaders,
  method: string,
  params: JsonObject,
  view: View,
  headerParams: HeaderParams,
): Envelope | Refusal {
  const envelope = openEnvelope(params);
  if ('error' in envelope) return envelope;
  const version = envelope.agent.protocolVersion;
  return (
    checkClaims(headers, version, method) ??
    checkVersion(version) ??
    checkStandardHeaders(headers, method, params) ??
    (removedMethods.has(method) ? methodNotFound(method) : undefined) ??
    checkToolHeaders(headers, method, params, view, headerParams) ??
    envelope
  );
}

/** Notifications need no envelope; what they claim must be consistent all the same. */
export function climbNotification(headers: IncomingHttpHeaders, method: string, claimed: unknown): Refusal | undefined {
  if (claimed !== undefined && typeof claimed !== 'string') {
    return refusal(400, rpcCode.invalidParams, 'Invalid params: _meta names no protocol version string');
  }
  const header = headers[mcpHeader.protocolVersion];
  const version = claimed ?? (typeof header === 'string' ? header.trim() : '');
  return checkClaims(headers, claimed, method) ?? checkVersion(version);
}

function checkVersion(requested: string): Refusal | undefined {
  if (isModernRevision(requested)) return undefined;
  return refusal(400, rpcCode.unsupportedProtocolVersion, 'Unsupported protocol version', {
    supported: [...modernRevisions],
    requested: requested.slice(0, 128),
  });
}

function checkToolHeaders(
  headers: IncomingHttpHeaders,
  method: string,
  params: JsonObject,
  view: View,
  headerParams: HeaderParams,
): Refusal | undefined {
  if (method !== 'tools/call') return undefined;
  const name = params['name'];
  const definition = typeof name === 'string' ? view.tool(name)?.definition : undefined;
  return definition === undefined ? undefined : checkParamHeaders(headers, headerParams(definition), params);
}
