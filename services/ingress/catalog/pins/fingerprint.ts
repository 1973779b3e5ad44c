import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../../shared/mcp/json.ts';

/** What a model reads of a tool, and therefore what must not change behind an operator's back. */
const pinned = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;

/** The members of a definition that a pin holds. */
export function pinnedParts(definition: JsonObject): JsonObject {
  const present = pinned.filter((member) => definition[member] !== undefined);
  return Object.fromEntries(present.map((member) => [member, definition[member]]));
}

/** SHA-256 over the canonical JSON of the pinned parts, hex: the order of members does not count. */
export function fingerprint(definition: JsonObject): string {
  return createHash('sha256')
    .update(canonical(pinnedParts(definition)))
    .digest('hex');
}

/** JSON text with sorted members. */
export function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(',')}}`;
}
