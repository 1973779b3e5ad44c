import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { isModernRevision, latestModern, modernRevisions } from '../../../shared/mcp/revisions.ts';
import { cacheOf } from './lists.ts';
import { modernHeaders } from './modern-request.ts';
import type { Outcome, Peer } from './peer.ts';
import type { Introduction } from './session.ts';

/** Asks a server whether it speaks the modern era (specification 2026-07-28, server/discover). Rejects with a GatewayError. */
export function askDiscover(peer: Peer, gateway: JsonObject, timeoutMs: number): Promise<Outcome> {
  const params = {
    _meta: {
      [metaKey.protocolVersion]: latestModern,
      [metaKey.clientCapabilities]: {},
      [metaKey.clientInfo]: gateway,
    },
  };
  const headers = modernHeaders('server/discover', params, latestModern);
  return peer.request('server/discover', params, { timeoutMs, headers });
}

/** True for a refusal of the version that was asked in, by a server that has it all the same. */
export function namesOurRevision(outcome: Outcome): boolean {
  if (!('error' in outcome) || outcome.error.code !== rpcCode.unsupportedProtocolVersion) return false;
  const { data } = outcome.error;
  const supported = isJsonObject(data) ? data['supported'] : undefined;
  return Array.isArray(supported) && modernRevisions.some((revision) => supported.includes(revision));
}

/**
 * What is assumed of a server that answers no `server/discover`, although its configuration says that it is modern: that it may have everything. Lists
 * that it does not know are empty.
 */
export const undiscovered: Introduction = {
  protocolVersion: latestModern,
  serverInfo: {},
  capabilities: { tools: {}, prompts: {}, resources: {} },
};

/** The introduction of a modern server; undefined for any other answer, which is then a legacy server's. */
export function readDiscover(outcome: Outcome): Introduction | undefined {
  if ('error' in outcome) return undefined;
  const { supportedVersions, capabilities, instructions, _meta: meta } = outcome.result;
  if (!Array.isArray(supportedVersions)) return undefined;
  const protocolVersion = modernRevisions.find((revision) => supportedVersions.includes(revision));
  if (protocolVersion === undefined || !isModernRevision(protocolVersion)) return undefined;
  const serverInfo = isJsonObject(meta) ? meta[metaKey.serverInfo] : undefined;
  const cache = cacheOf(outcome.result);
  return {
    protocolVersion,
    serverInfo: isJsonObject(serverInfo) ? serverInfo : {},
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' && { instructions }),
    ...(cache !== undefined && { cache }),
  };
}
