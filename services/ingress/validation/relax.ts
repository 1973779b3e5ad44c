import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { faultOfPattern } from '../../../shared/re2.ts';
import { type Applicator, applicatorsOf, type Dialect, foreignKeywords } from './keywords.ts';

/** A schema as the validation engine may get it. */
export interface Relaxed {
  readonly schema: JsonObject;
  /** Patterns that cannot be matched in linear time and are therefore not enforced. */
  readonly unenforced: readonly string[];
}

/** Words that the engine acts on and JSON Schema does not know. */
const engineWords = ['$async', '$data', 'discriminator', 'id', '$recursiveRef', '$recursiveAnchor'];
/** Where less enforced below means more refused above. */
const inverting = ['not', 'oneOf', 'if', 'contains', 'unevaluatedProperties', 'unevaluatedItems'];

/**
 * A copy without what only the engine gives a meaning to, and without patterns that cannot be enforced. Whatever the schema accepts, the copy
 * accepts; where every pattern can be enforced both mean the same. The form of the schema was inspected before.
 */
export function relaxSchema(schema: JsonObject, dialect: Dialect): Relaxed {
  const plain = relax(schema, dialect, []);
  return plain.unenforced.length === 0 ? plain : relax(schema, dialect, inverting);
}

function relax(root: JsonObject, dialect: Dialect, without: readonly string[]): Relaxed {
  const keywords = applicatorsOf(dialect);
  const dropped = new Set([...engineWords, ...foreignKeywords[dialect], ...without]);
  const faults = new Map<string, boolean>();
  const isFaulty = (pattern: string): boolean => {
    const known = faults.get(pattern) ?? faultOfPattern(pattern) !== undefined;
    faults.set(pattern, known);
    return known;
  };

  const relaxNode = (node: JsonObject): JsonObject => {
    const patterned = isJsonObject(node.patternProperties) ? Object.keys(node.patternProperties) : [];
    // A member that only a lost pattern allowed must not count as additional.
    const lostMembers = patterned.some(isFaulty);
    const kept = Object.entries(node).filter(([keyword, value]) => {
      if (dropped.has(keyword)) return false;
      // Elsewhere the engine would refuse to compile it; here it has a meaning that servers count on.
      if (keyword === 'nullable') return value === true && node.type !== undefined;
      if (keyword === 'pattern') return typeof value === 'string' && !isFaulty(value);
      return keyword !== 'additionalProperties' || !lostMembers;
    });
    return Object.fromEntries(kept.map(([keyword, value]) => [keyword, relaxMember(keyword, value)]));
  };
  const relaxMember = (keyword: string, value: JsonValue | undefined): JsonValue | undefined => {
    const holds: Applicator['holds'] | undefined = keywords.get(keyword)?.holds;
    if (holds === undefined) return value;
    if ((holds !== 'map' && holds !== 'dependencies') || !isJsonObject(value)) return relaxAny(value);
    const entries = Object.entries(value).filter(([name]) => keyword !== 'patternProperties' || !isFaulty(name));
    return Object.fromEntries(entries.map(([name, inner]) => [name, relaxAny(inner)]));
  };
  const relaxAny = (value: JsonValue | undefined): JsonValue | undefined => {
    if (Array.isArray(value)) return value.map((one) => (isJsonObject(one) ? relaxNode(one) : one));
    return isJsonObject(value) ? relaxNode(value) : value;
  };
  const schema = relaxNode(root);
  return { schema, unenforced: [...faults].flatMap(([pattern, faulty]) => (faulty ? [pattern] : [])) };
}
