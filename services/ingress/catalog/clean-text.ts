import type { JsonObject, JsonValue } from '../../../shared/mcp/json.ts';
import { isJsonObject } from '../../../shared/mcp/json.ts';

/**
 * Text that upstreams wrote and models or people will read. What cannot be seen can steer a model or a terminal, so escape
 * sequences, control, bidi, zero-width and tag characters go; a gateway cannot prove the rest harmless.
 */

const escapeSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]{0,4096}(?:\u0007|\u001b\\)?|[@-Z\\-_])/gu;
// Tab, line feed and carriage return stay, and so does the joiner inside an emoji.
const invisible =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|[\ufe00-\ufe0d]|(?<!\p{Extended_Pictographic}\ufe0f?|[\u{1f3fb}-\u{1f3ff}])\u200d|\u200d(?!\p{Extended_Pictographic})/gu;
const printable = /^[ -~]*$/;
const loneSurrogate = /\p{Surrogate}/gu;
// In JSON text the low control characters and lone surrogates are escapes.
const suspicious =
  /\\u(?:00[01]|d[89a-f])|\\[bf]|[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|[\ufe00-\ufe0d]/u;

/** The text without anything invisible. */
export function cleanText(text: string): string {
  return text.replace(escapeSequence, '').replace(invisible, '').replace(loneSurrogate, '\ufffd');
}

export function isClean(text: string): boolean {
  return printable.test(text) || cleanText(text) === text;
}

/** Members whose values are data and not prose: a validator reads them, or an extension does. */
const dataMembers = new Set(['default', 'const', 'enum', 'examples', 'pattern', '_meta', 'uri', 'uriTemplate', 'name']);
/** Members whose own members are names the server chose and not keywords. */
const nameMembers = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);

/** A definition whose titles and descriptions are clean, at every depth; the same object when there was nothing to clean. */
export function cleanDefinition(definition: JsonObject, text: string): JsonObject {
  return suspicious.test(text) ? cleanObject(definition, false) : definition;
}

function cleanObject(object: JsonObject, membersAreNames: boolean): JsonObject {
  const cleaned = Object.entries(object).map(([member, value]): [string, JsonValue | undefined] => {
    if (membersAreNames) return [member, cleanValue(value, false)];
    if (dataMembers.has(member)) return [member, value];
    if (typeof value === 'string') return [member, isProse(member) ? cleanText(value) : value];
    return [member, cleanValue(value, nameMembers.has(member))];
  });
  return Object.fromEntries(cleaned);
}

function cleanValue(value: JsonValue | undefined, membersAreNames: boolean): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, false) ?? null);
  return isJsonObject(value) ? cleanObject(value, membersAreNames) : value;
}

function isProse(member: string): boolean {
  return member === 'description' || member === 'title' || member === '$comment';
}
