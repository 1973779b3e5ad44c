import { z } from 'zod';
import { joinPath, nearest, type Problem, showName } from './problems.ts';
import { type Config, configSchema } from './schema.ts';
import { find, type Tree, toValue } from './tree.ts';

type Issue = z.core.$ZodIssue;

const maxKeysListed = 12;

/** Checks a resolved file against the schema. The texts of problems say what is expected, never what is there. */
export function validate(root: Tree): { config: Config } | { problems: readonly Problem[] } {
  const first = configSchema.safeParse(toValue(root));
  if (first.success) return { config: first.data };
  // `instances: ${N}` yields a text where a number is wanted, as everywhere that variables go into YAML after it is parsed.
  const cast = castSubstituted(root, first.error.issues);
  const last = cast === root ? first : configSchema.safeParse(toValue(cast));
  if (last.success) return { config: last.data };
  return { problems: last.error.issues.flatMap((issue) => describeIssue(issue, cast)) };
}

function castSubstituted(root: Tree, issues: readonly Issue[]): Tree {
  let result = root;
  for (const issue of issues) {
    if (issue.code !== 'invalid_type') continue;
    const { tree, found } = find(root, issue.path);
    if (!found || tree.kind !== 'scalar' || tree.substituted !== true || typeof tree.value !== 'string') continue;
    const text = tree.value;
    if (issue.expected === 'boolean' && (text === 'true' || text === 'false')) {
      result = replace(result, issue.path, { ...tree, value: text === 'true' });
    } else if ((issue.expected === 'number' || issue.expected === 'int') && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) {
      result = replace(result, issue.path, { ...tree, value: Number(text) });
    }
  }
  return result;
}

function replace(tree: Tree, path: readonly PropertyKey[], leaf: Tree): Tree {
  const [key, ...rest] = path;
  if (key === undefined) return leaf;
  if (tree.kind === 'map' && typeof key === 'string') {
    const entry = tree.entries.get(key);
    return entry === undefined
      ? tree
      : { ...tree, entries: new Map(tree.entries).set(key, replace(entry, rest, leaf)) };
  }
  if (tree.kind === 'list' && typeof key === 'number') {
    return { ...tree, items: tree.items.map((item, index) => (index === key ? replace(item, rest, leaf) : item)) };
  }
  return tree;
}

function describeIssue(issue: Issue, root: Tree): Problem[] {
  const { tree, found } = find(root, issue.path);
  const missing = issue.path.at(-1);
  if (!found) {
    const path = typeof missing === 'symbol' || missing === undefined ? tree.path : joinPath(tree.path, missing);
    return [{ at: tree.keyAt, path, text: 'is missing' }];
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const entry = find(tree, [key]).tree;
      return { at: entry.keyAt, path: joinPath(tree.path, key), text: unknownKey(key, validKeys(issue.path)) };
    });
  }
  if (issue.code === 'invalid_key') {
    return [{ at: tree.keyAt, path: tree.path, text: issue.issues[0]?.message ?? 'is not a valid name' }];
  }
  const whole = (issue.code === 'custom' && tree.kind === 'map') || (tree.kind === 'scalar' && tree.value === null);
  return [{ at: whole ? tree.keyAt : tree.at, path: tree.path, text: says(issue, tree) }];
}

function says(issue: Issue, tree: Tree): string {
  if (tree.kind === 'scalar' && tree.value === null && issue.code !== 'custom') {
    return 'has no value; give it one or remove the key';
  }
  switch (issue.code) {
    case 'invalid_type': {
      const quote = issue.expected === 'string' && tree.kind === 'scalar' ? '; put it in quotes' : '';
      return `must be ${kinds[issue.expected] ?? issue.expected}, not ${kindOf(tree, issue.expected)}${quote}`;
    }
    case 'invalid_value': {
      const values = issue.values.map(String);
      const written = tree.kind === 'scalar' && tree.substituted !== true ? String(tree.value) : '';
      const meant = written === '' ? undefined : nearest(written, values);
      return `must be one of ${values.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    }
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'must not be empty';
      return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : ''}`;
    case 'invalid_format':
    case 'invalid_union':
    case 'custom':
      return issue.message;
    default:
      return 'is not valid';
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys and values',
  record: 'a map of keys and values',
};

function kindOf(tree: Tree, expected: string): string {
  if (tree.kind === 'list') return 'a list';
  if (tree.kind === 'map') return 'a map';
  if (typeof tree.value === 'string') return 'text';
  if (typeof tree.value === 'boolean') return 'true or false';
  return expected === 'int' || expected === 'number' ? 'such a number' : 'a number';
}

/** The text for a key that has no meaning where it stands. */
export function unknownKey(key: string, valid: readonly string[]): string {
  const meant = nearest(key, valid);
  if (meant !== undefined) return `is not a key here; did you mean ${showName(meant)}?`;
  return valid.length === 0 || valid.length > maxKeysListed
    ? 'is not a key here'
    : `is not a key here; the keys are ${valid.join(', ')}`;
}

/** The keys that the schema knows at a path. */
export function validKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema;
  for (const key of path) {
    const inner = unwrap(schema);
    if (inner instanceof z.ZodRecord) schema = inner.valueType;
    else if (inner instanceof z.ZodObject && typeof key === 'string') schema = inner.shape[key];
    else return [];
  }
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema;
}
