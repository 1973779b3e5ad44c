import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import { isLegacyRevision, latestLegacy } from '../../../../shared/mcp/revisions.ts';
import type { View } from '../../catalog/catalog.ts';
import type { SessionFacts } from '../../sessions/legacy-session.ts';

/**
 * What an agent asked for with `initialize`; undefined when it named no version. A version we do not speak, 2026-07-28 too, is
 * answered with the latest that has `initialize` (2025-11-25, basic/lifecycle, "Version Negotiation").
 */
export function readInitialize(params: JsonObject): SessionFacts | undefined {
  const { protocolVersion: wanted, capabilities, clientInfo } = params;
  if (typeof wanted !== 'string') return undefined;
  return {
    protocolVersion: isLegacyRevision(wanted) ? wanted : latestLegacy,
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    clientInfo: isJsonObject(clientInfo) ? clientInfo : undefined,
  };
}

/** JSON text of the `initialize` result. */
export function initializeResult(protocolVersion: string, view: View): string {
  return JSON.stringify({
    protocolVersion,
    capabilities: legacyCapabilities(view.capabilities),
    serverInfo: view.serverInfo,
    instructions: view.instructions,
  });
}

/** Lists change when servers come and go, whatever a server said of its own. `extensions` and `tasks` mean other things before 2026-07-28. */
function legacyCapabilities(modern: JsonObject): JsonObject {
  const { tools, prompts, resources, completions, logging, experimental } = modern;
  const capabilities: JsonObject = { completions, logging, experimental };
  if (isJsonObject(tools)) capabilities['tools'] = { ...tools, listChanged: true };
  if (isJsonObject(prompts)) capabilities['prompts'] = { ...prompts, listChanged: true };
  if (isJsonObject(resources)) capabilities['resources'] = { ...resources, listChanged: true };
  return capabilities;
}
