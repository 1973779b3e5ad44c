import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';

/**
 * What an agent says of itself travels inside its session id, which is a header: it must stay below 4 KiB after encryption.
 * Lengths here are those of the JSON text in UTF-8.
 */
const maxCapabilities = 1700;
const maxClientInfo = 800;
const maxNameBytes = 160;

/** Members of client capabilities that change what a server may ask (2025-11-25, schema, ClientCapabilities). */
const knownCapabilities: Readonly<Record<string, readonly string[]>> = {
  roots: ['listChanged'],
  sampling: ['tools', 'context'],
  elicitation: ['form', 'url'],
};

/** The capabilities as they are, or only those the protocol knows when they would not fit. */
export function boundedCapabilities(capabilities: JsonObject): JsonObject {
  if (sizeOf(capabilities) <= maxCapabilities) return capabilities;
  const kept: JsonObject = {};
  for (const [name, members] of Object.entries(knownCapabilities)) {
    const declared = capabilities[name];
    if (!isJsonObject(declared)) continue;
    kept[name] = Object.fromEntries(
      members
        .filter((member) => Object.hasOwn(declared, member))
        .map((member) => [member, declared[member] === true ? true : {}]),
    );
  }
  return kept;
}

/** The client's name and version, cut, when the whole would not fit. */
export function boundedClientInfo(info: JsonObject | undefined): JsonObject | undefined {
  if (info === undefined || sizeOf(info) <= maxClientInfo) return info;
  return { name: cut(info['name']), version: cut(info['version']) };
}

function cut(text: unknown): string {
  if (typeof text !== 'string') return '';
  // A cut inside a character leaves the replacement character, which is harmless here.
  return Buffer.from(text, 'utf8').subarray(0, maxNameBytes).toString('utf8');
}

function sizeOf(value: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(value));
}
