import type { JsonObject, JsonValue } from './json.ts';
import { isJsonObject } from './json.ts';

/**
 * The `Mcp-*` request headers of the 2026-07-28 Streamable HTTP transport: what they mirror and how values are written in them.
 * Source: specification 2026-07-28, basic/transports/streamable-http, "Standard Request Headers", "Custom Headers", "Value Encoding".
 */

/** Names in the spelling Node gives them on arrival; header names are case-insensitive. */
export const mcpHeader = {
  protocolVersion: 'mcp-protocol-version',
  sessionId: 'mcp-session-id',
  method: 'mcp-method',
  name: 'mcp-name',
  paramPrefix: 'mcp-param-',
} as const;

/** The member of a property's schema that asks for a header. */
const annotation = 'x-mcp-header';

export type HeaderParamType = 'string' | 'integer' | 'number' | 'boolean';

/** One argument of a tool that is mirrored into `Mcp-Param-<header>`. */
export interface HeaderParam {
  /** Member names from the root of the arguments down to the value. */
  readonly path: readonly string[];
  /** As the schema spells it, without the prefix. */
  readonly header: string;
  readonly type: HeaderParamType;
}

export type HeaderParamScan =
  | { readonly ok: true; readonly params: readonly HeaderParam[] }
  | { readonly ok: false; readonly why: string };

const sentinelStart = '=?base64?';
const sentinelEnd = '?=';
const plainValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
/** RFC 9110 §5.6.2 `token`. */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** A string as a header value: itself where it is plain ASCII without outer blanks, else `=?base64?…?=` of its UTF-8 bytes. */
export function encodeHeaderValue(value: string): string {
  if (plainValue.test(value) && !looksEncoded(value)) return value;
  return `${sentinelStart}${Buffer.from(value, 'utf8').toString('base64')}${sentinelEnd}`;
}

/** The string a header value stands for: outer blanks trimmed, sentinel undone; undefined when the sentinel holds no base64 of UTF-8. */
export function decodeHeaderValue(value: string): string | undefined {
  const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
  if (!looksEncoded(trimmed)) return trimmed;
  const inner = trimmed.slice(sentinelStart.length, -sentinelEnd.length);
  if (!base64.test(inner)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(inner, 'base64'));
  } catch {
    return undefined;
  }
}

function looksEncoded(value: string): boolean {
  return (
    value.length >= sentinelStart.length + sentinelEnd.length &&
    value.startsWith(sentinelStart) &&
    value.endsWith(sentinelEnd)
  );
}

/** The member of `params` that `Mcp-Name` mirrors for this method; undefined where the header is not sent. */
export function nameMember(method: string): 'name' | 'uri' | 'taskId' | undefined {
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return 'name';
    case 'resources/read':
      return 'uri';
    case 'tasks/get':
    case 'tasks/update':
    case 'tasks/cancel':
      return 'taskId';
    default:
      return undefined;
  }
}

/**
 * The text that the header of an argument carries before encoding; undefined where no header is sent: absent, null, not a
 * primitive, or a number that JSON readers disagree on (infinite, or an integer beyond 2^53).
 */
export function headerText(value: JsonValue | undefined): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
      return String(value);
    default:
      return undefined;
  }
}

/** The argument at a path of own members; undefined where it ends early. */
export function argumentAt(root: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let node = root;
  for (const member of path) {
    if (!isJsonObject(node) || !Object.hasOwn(node, member)) return undefined;
    node = node[member];
  }
  return node;
}

/** True when a decoded header says the same as the argument; numbers are compared as numbers ("Case Sensitivity and Comparison"). */
export function headerMatches(decoded: string, value: JsonValue | undefined): boolean {
  const expected = headerText(value);
  if (expected === undefined) return false;
  if (decoded === expected) return true;
  return typeof value === 'number' && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(decoded) && Number(decoded) === value;
}

/** Subschema keywords that a chain of `properties` does not pass through: an annotation below them is a fault. */
const unreachable = [
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
] as const;
/** The same, where the value maps names to subschemas. */
const unreachableMaps = ['patternProperties', 'dependentSchemas', '$defs', 'definitions'] as const;

/** Deeper schemas are not walked but refused: no honest tool has them, and the walk must end. */
const maxDepth = 64;

/**
 * Every argument a tool's input schema mirrors into a header, or why the tool is invalid ("Schema Extension").
 * `number` is taken besides string, integer and boolean: the specification forbids it, the conformance suite uses it.
 */
export function scanHeaderParams(inputSchema: JsonValue | undefined): HeaderParamScan {
  const params: HeaderParam[] = [];
  const seen = new Set<string>();
  const why = walk(inputSchema, [], true, 0);
  return why === undefined ? { ok: true, params } : { ok: false, why };

  function walk(schema: JsonValue | undefined, path: string[], reachable: boolean, depth: number): string | undefined {
    if (Array.isArray(schema)) return first(schema, (branch) => walk(branch, path, false, depth + 1));
    if (!isJsonObject(schema)) return undefined;
    if (depth > maxDepth) return `the schema is nested deeper than ${maxDepth}`;
    if (Object.hasOwn(schema, annotation)) {
      const fault = take(schema, path, reachable);
      if (fault !== undefined) return fault;
    }
    return (
      first(members(schema['properties']), ([name, child]) => walk(child, [...path, name], reachable, depth + 1)) ??
      first(unreachable, (keyword) => walk(schema[keyword], path, false, depth + 1)) ??
      first(unreachableMaps, (keyword) =>
        first(members(schema[keyword]), ([, child]) => walk(child, path, false, depth + 1)),
      )
    );
  }

  function take(schema: JsonObject, path: string[], reachable: boolean): string | undefined {
    const header = schema[annotation];
    const type = schema['type'];
    const at = path.length === 0 ? 'the root' : path.join('.');
    if (!reachable || path.length === 0)
      return `${at}: ${annotation} is not reached by a chain of "properties" from the root`;
    if (typeof header !== 'string' || !fieldName.test(header)) return `${at}: ${annotation} is not a header name`;
    if (!isHeaderType(type)) return `${at}: ${annotation} on a property that is no string, integer, number or boolean`;
    const key = header.toLowerCase();
    if (seen.has(key)) return `${at}: ${annotation} "${header}" is used twice`;
    seen.add(key);
    params.push({ path, header, type });
    return undefined;
  }
}

function isHeaderType(type: JsonValue | undefined): type is HeaderParamType {
  return type === 'string' || type === 'integer' || type === 'number' || type === 'boolean';
}

function members(value: JsonValue | undefined): [string, JsonValue | undefined][] {
  return isJsonObject(value) ? Object.entries(value) : [];
}

function first<T>(items: readonly T[], visit: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = visit(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
