import { isAlias, isMap, isScalar, isSeq, parseDocument, type Node as YamlNode } from 'yaml';
import { tooDeepAt } from './depth.ts';
import { jsoncToYaml } from './jsonc.ts';
import { joinPath, type Locate, locateIn, type Problem } from './problems.ts';

/** Where an entry stands in its file. */
interface Place {
  /** As shown in errors: `servers.github.args[1]`. */
  readonly path: string;
  /** Offset of its key, or of the entry itself in a list. */
  readonly keyAt: number;
  readonly at: number;
}

export interface ScalarTree extends Place {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** True when the value holds something from outside the file. */
  readonly substituted?: boolean;
}

export interface MapTree extends Place {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Tree>;
}

export interface ListTree extends Place {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

/** The data of a file, each entry with its place. */
export type Tree = ScalarTree | MapTree | ListTree;

export type Syntax = 'yaml' | 'json';

export interface Parsed {
  /** Undefined when the problems leave nothing to go on with. */
  readonly root: Tree | undefined;
  readonly problems: readonly Problem[];
  readonly locate: Locate;
}

const maxAliases = 100;
const maxNodes = 100_000;
const maxDepth = 50;

/**
 * Parses a configuration file of either syntax. Duplicate keys, tags, merge keys, several documents and more than 100 aliases are
 * problems. The parser's own messages quote the file, so only their meaning is kept.
 */
export function parseTree(text: string, syntax: Syntax): Parsed {
  const problems: Problem[] = [];
  const locate = locateIn(text);
  try {
    const yaml = syntax === 'json' ? jsoncToYaml(text) : text;
    const deep = tooDeepAt(yaml, maxDepth);
    if (deep !== undefined) {
      return { root: undefined, problems: [{ at: deep, path: '', text: 'this is nested too deeply' }], locate };
    }
    const document = parseDocument(yaml, {
      prettyErrors: false,
      logLevel: 'error',
      merge: false,
      // The parser compares every key with every other; the builder below has a map.
      uniqueKeys: false,
      resolveKnownTags: false,
    });
    for (const error of [...document.errors, ...document.warnings]) {
      problems.push({ at: error.pos[0], path: '', text: syntaxTexts[error.code] ?? notValid(syntax) });
    }
    if (problems.length > 0) return { root: undefined, problems, locate };
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
      return { root: undefined, problems: [{ at: 0, path: '', text: 'the file is empty' }], locate };
    }
    const root = new Builder(problems, (node) => (isAlias(node) ? node.resolve(document) : undefined)).build(
      document.contents,
      '',
      0,
    );
    return { root, problems, locate };
  } catch {
    // The parser recurses: what exhausts its stack, or any bug of its own, is a bad file to us.
    return { root: undefined, problems: [{ at: 0, path: '', text: notValid(syntax) }], locate };
  }
}

function notValid(syntax: Syntax): string {
  return syntax === 'json' ? 'this is not valid JSON' : 'this is not valid YAML';
}

/** What the parser's error codes mean to somebody who edits the file. */
const syntaxTexts: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'this alias names no anchor',
  BAD_DQ_ESCAPE: 'an escape in this double-quoted text is not valid; single quotes need none',
  BAD_INDENT: 'the indentation or a closing bracket is wrong here',
  BAD_SCALAR_START: 'text cannot begin with this character unless it is quoted',
  BLOCK_AS_IMPLICIT_KEY: 'a second key on the same line; text that holds ": " must be quoted',
  BLOCK_IN_FLOW: 'a block cannot stand inside brackets',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing here',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line and be followed by ":"',
  MULTIPLE_DOCS: 'a second document begins here; the file must hold one',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'a tab cannot indent YAML; use spaces',
  TAG_RESOLVE_FAILED: 'tags are not accepted',
  UNEXPECTED_TOKEN: 'this was not expected here',
};

class Builder {
  readonly #problems: Problem[];
  readonly #target: (alias: YamlNode) => YamlNode | undefined;
  readonly #open = new Set<YamlNode>();
  #aliases = 0;
  #nodes = 0;

  constructor(problems: Problem[], target: (alias: YamlNode) => YamlNode | undefined) {
    this.#problems = problems;
    this.#target = target;
  }

  build(node: unknown, path: string, keyAt: number, aliasAt?: number): Tree {
    const at = aliasAt ?? startOf(node) ?? keyAt;
    const nothing: Tree = { kind: 'scalar', path, keyAt, at, value: null };
    const fail = (text: string): Tree => {
      this.#problems.push({ at, path, text });
      return nothing;
    };
    this.#nodes += 1;
    // Small anchors can multiply into billions of entries.
    if (this.#nodes > maxNodes) return this.#nodes === maxNodes + 1 ? fail('the file holds too many entries') : nothing;
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > maxAliases) return this.#aliases === maxAliases + 1 ? fail('too many aliases') : nothing;
      const target = this.#target(node);
      if (target === undefined) return fail('this alias names no anchor');
      if (this.#open.has(target)) return fail('this alias lies inside what it names');
      return this.build(target, path, keyAt, at);
    }
    if (isScalar(node)) {
      if (node.tag !== undefined && !plainTags.has(node.tag)) return fail('tags are not accepted');
      const { value } = node;
      if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        return { kind: 'scalar', path, keyAt, at, value };
      }
      return fail('this kind of value is not accepted');
    }
    if (!isMap(node) && !isSeq(node)) return nothing;
    if (node.tag !== undefined && !plainTags.has(node.tag)) return fail('tags are not accepted');
    this.#open.add(node);
    try {
      if (isSeq(node)) {
        const items = node.items.map((item, index) =>
          this.build(item, joinPath(path, index), startOf(item) ?? at, aliasAt),
        );
        return { kind: 'list', path, keyAt, at, items };
      }
      const entries = new Map<string, Tree>();
      for (const pair of node.items) {
        const pairAt = aliasAt ?? startOf(pair.key) ?? at;
        const key = keyText(pair.key);
        if (key === undefined) this.#problems.push({ at: pairAt, path, text: 'a key must be plain text' });
        else if (key === '__proto__' || key === '<<') {
          this.#problems.push({ at: pairAt, path: joinPath(path, key), text: 'this key is not accepted' });
        } else if (entries.has(key)) {
          this.#problems.push({ at: pairAt, path: joinPath(path, key), text: 'this key is a duplicate' });
        } else entries.set(key, this.build(pair.value, joinPath(path, key), pairAt, aliasAt));
      }
      return { kind: 'map', path, keyAt, at, entries };
    } finally {
      this.#open.delete(node);
    }
  }
}

/** What the core schema resolves by itself, and may be spelled out. */
const plainTags: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const start: unknown = node.range[0];
  return typeof start === 'number' ? start : undefined;
}

function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  if (typeof key.value === 'string') return key.value;
  // `1:` and `on:` are names here, as they are written.
  return typeof key.value === 'number' || typeof key.value === 'boolean'
    ? (key.source ?? String(key.value))
    : undefined;
}

/** The plain data, in objects without prototype. */
export function toValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toValue);
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) object[key] = toValue(entry);
  return object;
}

/** The entry at a path of keys and indexes, or the nearest one above it, and whether it is there itself. */
export function find(root: Tree, path: readonly PropertyKey[]): { readonly tree: Tree; readonly found: boolean } {
  let tree = root;
  for (const key of path) {
    const next =
      tree.kind === 'map' && typeof key === 'string'
        ? tree.entries.get(key)
        : tree.kind === 'list' && typeof key === 'number'
          ? tree.items[key]
          : undefined;
    if (next === undefined) return { tree, found: false };
    tree = next;
  }
  return { tree, found: true };
}
