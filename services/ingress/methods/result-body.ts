import { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { View } from '../catalog/catalog.ts';

/** The few looks into a result that the ingress takes. Everything else is forwarded as the bytes that came. */

const maxScanned = 256 * 1024;

/** Parses a result; throws `bad_upstream_output` for what is no JSON object. */
export function parseResult(body: Uint8Array): JsonObject {
  try {
    const result: unknown = JSON.parse(asBuffer(body).toString('utf8'));
    if (isJsonObject(result)) return result;
  } catch {
    // Answered below.
  }
  throw new GatewayError('bad_upstream_output', 'The server answered with something that is not a JSON object', {
    executed: 'yes',
  });
}

/** True when the bytes hold the text of that member's name. */
export function mentions(body: Uint8Array, member: string): boolean {
  return asBuffer(body).includes(`"${member}"`);
}

/**
 * Spells the URIs of a server's result as the view's agents know them, and remembers who returned them.
 * The bytes themselves, in all but the rare case of a server whose URIs another server has too.
 */
export function spellLinks(view: View, server: string, body: Uint8Array): Uint8Array | string {
  const rewrites = view.rewritesUris(server);
  const learns = view.learnsLinks && body.length <= maxScanned;
  if ((!rewrites && !learns) || !mentions(body, 'uri')) return body;
  const result = parseResult(body);
  let changed = false;
  const spell = (holder: JsonObject): void => {
    if (typeof holder.uri !== 'string') return;
    view.noteLink(server, holder.uri);
    const uri = view.agentUri(server, holder.uri);
    changed ||= uri !== holder.uri;
    holder.uri = uri;
  };
  for (const holder of uriHolders(result)) spell(holder);
  return changed ? JSON.stringify(result) : body;
}

/** Resource links and embedded resources of a tool's or a prompt's result, and the contents of a resource. */
function* uriHolders(result: JsonObject): Generator<JsonObject> {
  yield* objectsIn(result.contents);
  const messages = objectsIn(result.messages).flatMap(({ content }) => objectsIn(content));
  for (const block of [...objectsIn(result.content), ...messages]) {
    if (block.type === 'resource_link') yield block;
    if (block.type === 'resource' && isJsonObject(block.resource)) yield block.resource;
  }
}

function objectsIn(value: JsonValue | undefined): JsonObject[] {
  if (isJsonObject(value)) return [value];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function asBuffer(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
