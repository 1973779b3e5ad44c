import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { type Cost, type CostNode, costOf } from './cost.ts';
import { dialectOf } from './dialect.ts';
import { type Applicator, applicatorsOf, type Dialect, faultOfKeyword } from './keywords.ts';
import { createReferences, rootBase } from './references.ts';

/** What a schema may ask of whoever compiles and runs it. */
export const schemaLimits = {
  /** Characters of its JSON text. */
  characters: 262_144,
  /** Subschemas inside each other. */
  depth: 32,
  subschemas: 2_000,
  /** Subschemas that apply to one value at once, references followed. */
  applied: 2_000,
} as const;

export type Inspection =
  | { readonly ok: true; readonly dialect: Dialect; readonly cost: Cost }
  | { readonly ok: false; readonly why: string };

/**
 * Looks at a schema without compiling it: dialect, form of its keywords, size, and that every reference leads to a place in the schema itself.
 * Linear in the schema, so it may run for every tool of every list. What passes, compiles; nothing is fetched.
 */
export function inspectSchema(schema: JsonObject, text: string = JSON.stringify(schema)): Inspection {
  if (text.length > schemaLimits.characters) return refuse(`it is larger than ${schemaLimits.characters} characters`);
  const named = dialectOf(schema);
  if (named === undefined) return refuse('dialect not supported: "$schema" names neither 2020-12 nor draft-07');
  if (named !== 'unnamed') return inspect(schema, named);
  const modern = inspect(schema, '2020-12');
  // Older servers write draft-07 without saying so.
  if (modern.ok) return modern;
  const older = inspect(schema, 'draft-07');
  return older.ok ? older : modern;
}

function refuse(why: string): Inspection {
  return { ok: false, why };
}

class Refused extends Error {}

interface Visit {
  readonly node: JsonObject;
  readonly index: number;
  readonly base: string;
}

function inspect(root: JsonObject, dialect: Dialect): Inspection {
  try {
    const nodes = gather(root, dialect);
    return { ok: true, dialect, cost: costOf(nodes, schemaLimits.applied) };
  } catch (error) {
    if (error instanceof Refused || error instanceof RangeError) return refuse(error.message.slice(0, 200));
    throw error;
  }
}

/** Every subschema that can come to be applied, with what it applies in turn. The first is the root. */
function gather(root: JsonObject, dialect: Dialect): CostNode[] {
  const keywords = applicatorsOf(dialect);
  const references = createReferences();
  const nodes: CostNode[] = [];
  const indexes = new Map<JsonObject, number>();
  const visits: Visit[] = [];

  const enter = (value: JsonValue | undefined, base: string, depth: number, where: string): number | undefined => {
    if (typeof value === 'boolean') return undefined;
    if (!isJsonObject(value)) throw new Refused(`"${where}" holds something that is no schema`);
    const known = indexes.get(value);
    if (known !== undefined) return known;
    if (depth > schemaLimits.depth) throw new Refused(`its subschemas are nested deeper than ${schemaLimits.depth}`);
    if (nodes.length >= schemaLimits.subschemas)
      throw new Refused(`it has more than ${schemaLimits.subschemas} subschemas`);
    const index = nodes.length;
    indexes.set(value, index);
    const node: CostNode = { here: [], either: [], each: [], local: 1, patterns: 0, comparesItems: false };
    nodes.push(node);
    const own = references.enter(value, base);
    visits.push({ node: value, index, base: own });
    for (const [keyword, member] of Object.entries(value)) {
      const fault = faultOfKeyword(keyword, member);
      if (fault !== undefined) throw new Refused(fault);
      const applicator = keywords.get(keyword);
      if (applicator !== undefined) descend(node, keyword, applicator, member, own, depth);
      else node.local += weightOf(keyword, member);
    }
    if (typeof value.pattern === 'string') node.patterns += 1;
    if (value.uniqueItems === true) node.comparesItems = true;
    return index;
  };

  const descend = (
    node: CostNode,
    keyword: string,
    { reach, holds }: Applicator,
    value: JsonValue | undefined,
    base: string,
    depth: number,
  ): void => {
    const found = subschemas(keyword, holds, value)
      .map((inner) => enter(inner, base, depth + 1, keyword))
      .filter((index) => index !== undefined);
    if (keyword === 'patternProperties' && isJsonObject(value)) node.patterns += Object.keys(value).length;
    if (reach === 'never') return;
    node.local += found.length;
    if (reach === 'here') node.here.push(...found);
    else if (keyword === 'properties' || keyword === 'prefixItems' || Array.isArray(value)) node.either.push(...found);
    else node.each.push(...found);
  };

  enter(root, rootBase, 0, 'inputSchema');
  let candidates = 0;
  // Targets outside the known keywords are subschemas as well, and may refer on.
  for (let at = 0; at < visits.length; at += 1) {
    const { node, index, base } = visits[at]!;
    const from = nodes[index]!;
    for (const keyword of ['$ref', '$dynamicRef'] as const) {
      const reference = node[keyword];
      if (typeof reference !== 'string' || (keyword === '$dynamicRef' && dialect === 'draft-07')) continue;
      const target = references.resolve(reference, base);
      if (target === undefined) throw new Refused(whyUnresolved(reference));
      const anchored = keyword === '$ref' ? [] : references.dynamic(reference.slice(reference.indexOf('#') + 1));
      candidates += anchored.length;
      if (candidates > schemaLimits.subschemas) throw new Refused('its dynamic references may lead to too many places');
      // Which of the anchors counts is decided by the value; the bound takes all of them.
      for (const one of new Set([target, ...anchored])) {
        const to = enter(one, base, 0, keyword);
        if (to !== undefined) from.here.push(to);
      }
    }
  }
  return nodes;
}

function whyUnresolved(reference: string): string {
  return /^[a-z][a-z0-9+.-]*:|^\/\//i.test(reference)
    ? 'it refers to a schema elsewhere, which is never fetched'
    : 'it refers to a subschema that it does not have';
}

function subschemas(
  keyword: string,
  holds: Applicator['holds'],
  value: JsonValue | undefined,
): readonly (JsonValue | undefined)[] {
  if (holds === 'one' || (holds === 'one-or-list' && !Array.isArray(value))) return [value];
  if (holds === 'list' || holds === 'one-or-list') {
    if (Array.isArray(value) && (value.length > 0 || keyword === 'items')) return value;
    throw new Refused(`"${keyword}" is not a list of schemas`);
  }
  if (!isJsonObject(value)) throw new Refused(`"${keyword}" is not a map of schemas`);
  const inner = Object.values(value);
  if (holds === 'map') return inner;
  return inner.filter((one) => {
    if (!Array.isArray(one)) return true;
    if (one.every((name) => typeof name === 'string')) return false;
    throw new Refused(`"${keyword}" holds neither schemas nor lists of names`);
  });
}

/** Comparisons that a keyword costs per value, roughly. */
function weightOf(keyword: string, value: JsonValue | undefined): number {
  if (keyword === 'enum' || keyword === 'const') return count(value);
  if (keyword === 'required') return Array.isArray(value) ? value.length : 0;
  if (keyword === 'dependentRequired') return count(value);
  return 0;
}

/** Values in a value, itself included. The depth of definitions is bounded before. */
function count(value: JsonValue | undefined): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, inner) => sum + count(inner), 1);
}
