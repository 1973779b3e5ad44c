import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { inspectSchema } from '../validation/inspect.ts';
import type { ListKind } from './catalog.ts';
import { isClean } from './clean-text.ts';
import { deceives } from './look-alikes.ts';

/** As the specification recommends for tools (2026-07-28, server/tools, "Tool Names"). */
const maxNameLength = 128;
const maxLabelLength = 256;
const maxUriLength = 8_192;
const maxDescriptionLength = 65_536;
const maxDefinitionLength = 262_144;
const maxDepth = 100;

/** Names that break agents which keep tools in plain objects. */
const reserved = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Why a definition is kept from agents, or undefined when it may be listed. Strict clients refuse a whole list because of one
 * entry like these, so the entry goes and the list stays. `text` is its JSON text.
 */
export function faultOf(kind: ListKind, definition: JsonObject, text: string): string | undefined {
  if (text.length > maxDefinitionLength) return `the definition is larger than ${maxDefinitionLength} characters`;
  return (
    faultOfName(definition.name, kind) ??
    faultOfProse(definition) ??
    faultOfMembers(definition) ??
    { tools: faultOfTool, prompts: faultOfPrompt, resources: faultOfUri, resourceTemplates: faultOfTemplate }[kind](
      definition,
      text,
    )
  );
}

/** True for a value nested deeper than any honest schema. */
export function isTooDeep(value: JsonValue | undefined, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth > maxDepth) return true;
  return Object.values(value).some((inner: JsonValue | undefined) => isTooDeep(inner, depth + 1));
}

function faultOfName(name: JsonValue | undefined, kind: ListKind): string | undefined {
  if (typeof name !== 'string' || name === '') return 'it has no name';
  // The name of a resource is a label; agents know it by its URI.
  const isLabel = kind === 'resources' || kind === 'resourceTemplates';
  const longest = isLabel ? maxLabelLength : maxNameLength;
  if (name.length > longest) return `the name is longer than ${longest} characters`;
  if (reserved.has(name)) return 'the name is reserved';
  if (!isClean(name) || /[\t\r\n]/.test(name)) return 'the name holds control or invisible characters';
  const deception = isLabel ? undefined : deceives(name);
  return deception === undefined ? undefined : `the name is a look-alike: ${deception}`;
}

function faultOfProse({ title, description }: JsonObject): string | undefined {
  if (title !== undefined && typeof title !== 'string') return 'title is not a string';
  if (description === undefined) return undefined;
  if (typeof description !== 'string') return 'description is not a string';
  return description.length > maxDescriptionLength
    ? `the description is longer than ${maxDescriptionLength} characters`
    : undefined;
}

function faultOfMembers(definition: JsonObject): string | undefined {
  for (const member of ['annotations', '_meta']) {
    const value = definition[member];
    if (value !== undefined && !isJsonObject(value)) return `${member} is not an object`;
  }
  return definition.icons === undefined || Array.isArray(definition.icons) ? undefined : 'icons is not an array';
}

function faultOfTool({ inputSchema, outputSchema }: JsonObject, text: string): string | undefined {
  if (!isJsonObject(inputSchema)) return 'inputSchema is not an object';
  if (inputSchema.type !== undefined && inputSchema.type !== 'object') return 'inputSchema is not of type "object"';
  const asked = inspectSchema(inputSchema, text);
  if (!asked.ok) return `inputSchema is not usable: ${asked.why}`;
  if (outputSchema === undefined || typeof outputSchema === 'boolean') return undefined;
  if (!isJsonObject(outputSchema)) return 'outputSchema is not a schema';
  const answered = inspectSchema(outputSchema, text);
  return answered.ok ? undefined : `outputSchema is not usable: ${answered.why}`;
}

function faultOfPrompt({ arguments: args }: JsonObject): string | undefined {
  if (args === undefined) return undefined;
  const legal = Array.isArray(args) && args.every((one) => isJsonObject(one) && typeof one.name === 'string');
  return legal ? undefined : 'arguments is not an array of named arguments';
}

function faultOfUri({ uri }: JsonObject): string | undefined {
  return faultOfAddress('uri', uri);
}

function faultOfTemplate({ uriTemplate }: JsonObject): string | undefined {
  return faultOfAddress('uriTemplate', uriTemplate);
}

function faultOfAddress(member: string, value: JsonValue | undefined): string | undefined {
  if (typeof value !== 'string' || value === '') return `it has no ${member}`;
  if (value.length > maxUriLength) return `${member} is longer than ${maxUriLength} characters`;
  return isClean(value) ? undefined : `${member} holds control or invisible characters`;
}
