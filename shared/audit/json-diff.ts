import { isJsonObject, type JsonValue } from '../mcp/json.ts';

/** Where two JSON values differ. A side that is absent there is undefined. */
export interface Difference {
  /** JSON pointer. Text that is JSON itself is entered: `/content/0/text/items/3`. */
  readonly path: string;
  readonly before?: JsonValue | undefined;
  readonly after?: JsonValue | undefined;
}

/** JSON pointers in which `*` is any one member and `**` at the end everything below. */
export type IgnoreRule = string;

/** Differences named for one pair of values; more are counted in the last of them. */
const mostDifferences = 200;
const maxDepth = 64;

/** Field by field, without what the rules ignore. Equal values give an empty list. */
export function diffJson(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  ignore: readonly IgnoreRule[] = [],
): Difference[] {
  const rules = ignore.map((rule) => rule.split('/').slice(1).map(unescaped));
  const found: Difference[] = [];
  walk(before, after, [], 0);
  return found;

  function walk(one: JsonValue | undefined, two: JsonValue | undefined, path: readonly string[], depth: number): void {
    if (one === two || found.length >= mostDifferences || isIgnored(path, rules)) return;
    const [left, right] = depth < maxDepth ? entered(one, two) : [one, two];
    if (Array.isArray(left) && Array.isArray(right)) {
      for (let at = 0; at < Math.max(left.length, right.length); at += 1)
        walk(left[at], right[at], [...path, String(at)], depth + 1);
      return;
    }
    if (isJsonObject(left) && isJsonObject(right)) {
      for (const name of new Set([...Object.keys(left), ...Object.keys(right)]))
        walk(own(left, name), own(right, name), [...path, name], depth + 1);
      return;
    }
    if (isSame(left, right)) return;
    found.push({ path: pointerOf(path), before: one, after: two });
  }
}

/** Two texts that are JSON objects or lists are compared as those: servers often say the same thing as text. */
function entered(
  one: JsonValue | undefined,
  two: JsonValue | undefined,
): readonly [JsonValue | undefined, JsonValue | undefined] {
  if (typeof one !== 'string' || typeof two !== 'string') return [one, two];
  const [left, right] = [structureIn(one), structureIn(two)];
  return left === undefined || right === undefined ? [one, two] : [left, right];
}

function structureIn(text: string): JsonValue | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function isSame(one: JsonValue | undefined, two: JsonValue | undefined): boolean {
  return one === two || (one !== undefined && two !== undefined && JSON.stringify(one) === JSON.stringify(two));
}

function own(object: Readonly<Record<string, JsonValue | undefined>>, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isIgnored(path: readonly string[], rules: readonly (readonly string[])[]): boolean {
  return rules.some((rule) => {
    const open = rule.at(-1) === '**';
    const fixed = open ? rule.slice(0, -1) : rule;
    if (open ? path.length < fixed.length : path.length !== fixed.length) return false;
    return fixed.every((part, at) => part === '*' || part === path[at]);
  });
}

function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
