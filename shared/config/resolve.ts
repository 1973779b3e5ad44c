import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path';
import { packageProgram } from './packages.ts';
import { nearest, type Problem, showName } from './problems.ts';
import { parseReferences, type Reference, referenceForms } from './references.ts';
import type { ScalarTree, Tree } from './tree.ts';

export interface ResolveContext {
  /** Absolute path of the configuration file. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly dataDir: string;
  /** Make the directories that `${dir:…}` names. */
  readonly makeDirectories: boolean;
  /** The file is of another program: what we cannot read stays as it is. */
  readonly clientFile: boolean;
}

export interface Resolved {
  readonly root: Tree;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** What variables and files held. */
  readonly secrets: ReadonlySet<string>;
  /** Files that were read, with their content, for the watcher. */
  readonly files: ReadonlyMap<string, string>;
}

const maxSecretBytes = 1 << 20;

/** Replaces every reference in the text values of a tree. A value cannot become anything but text: the file is parsed already. */
export async function resolveReferences(root: Tree, context: ResolveContext): Promise<Resolved> {
  const resolver = new Resolver(context);
  return { ...resolver.found, root: await resolver.tree(root) };
}

class Resolver {
  readonly found = {
    problems: [] as Problem[],
    warnings: [] as Problem[],
    secrets: new Set<string>(),
    files: new Map<string, string>(),
  };
  readonly #context: ResolveContext;

  constructor(context: ResolveContext) {
    this.#context = context;
  }

  async tree(tree: Tree): Promise<Tree> {
    if (tree.kind === 'scalar') {
      return typeof tree.value === 'string' && tree.value.includes('${') ? this.#text(tree, tree.value) : tree;
    }
    if (tree.kind === 'list') {
      const items: Tree[] = [];
      for (const item of tree.items) items.push(await this.tree(item));
      return { ...tree, items };
    }
    const entries = new Map<string, Tree>();
    for (const [key, entry] of tree.entries) entries.set(key, await this.tree(entry));
    return { ...tree, entries };
  }

  async #text(tree: ScalarTree, text: string): Promise<ScalarTree> {
    let value = '';
    for (const segment of parseReferences(text, this.#context.clientFile)) {
      if (typeof segment === 'string') value += segment;
      else if (segment.kind !== 'malformed') value += await this.#value(tree, segment);
      else if (this.#context.clientFile) {
        value += segment.source;
        this.#warn(tree, 'holds a reference that toolbus does not know; it stays as it is');
      } else this.#fail(tree, `holds a reference that cannot be read; the forms are ${referenceForms}`);
    }
    return { ...tree, value, substituted: true };
  }

  async #value(tree: ScalarTree, reference: Reference): Promise<string> {
    const { env, cwd, file } = this.#context;
    switch (reference.kind) {
      case 'env':
        return this.#variable(tree, reference.name, reference.fallback);
      case 'file':
        return this.#secretFile(tree, reference.name);
      case 'dir':
        return this.#directory(tree, reference.name);
      case 'package': {
        const program = packageProgram(reference.name, dirname(file));
        if (program !== undefined) return program;
        return this.#fail(tree, `the package ${showName(reference.name)} is not installed here, or has no program`);
      }
      case 'node':
        return process.execPath;
      case 'workspaceFolder':
        return cwd;
      case 'userHome':
        return env['HOME'] ?? homedir();
    }
  }

  #variable(tree: ScalarTree, name: string, fallback: string | undefined): string {
    const { env } = this.#context;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    // As in a shell, `:-` also covers a variable that is set to nothing.
    if (value !== undefined && (value !== '' || fallback === undefined)) {
      this.#secret(value);
      return value;
    }
    if (fallback !== undefined) return fallback;
    const similar = nearest(name, Object.keys(env));
    const hint = similar === undefined ? '' : `; did you mean ${showName(similar)}?`;
    return this.#fail(tree, `the variable ${showName(name)} is not set${hint}`);
  }

  async #secretFile(tree: ScalarTree, name: string): Promise<string> {
    const path = resolve(dirname(this.#context.file), name);
    let content = this.found.files.get(path);
    if (content === undefined) {
      try {
        content = await readSmallFile(path, maxSecretBytes);
      } catch (error) {
        return this.#fail(tree, `the file ${showName(name)} cannot be read (${causeOf(error)})`);
      }
      this.found.files.set(path, content);
    }
    const value = content.replace(/\r?\n$/, '');
    this.#secret(value);
    return value;
  }

  async #directory(tree: ScalarTree, name: string): Promise<string> {
    const { dataDir, makeDirectories } = this.#context;
    const inside = normalize(name);
    if (isAbsolute(inside) || inside.split(/[\\/]/).includes('..') || inside.includes('\0')) {
      return this.#fail(tree, `${showName(name)} leads out of the data directory`);
    }
    const path = join(dataDir, inside);
    if (makeDirectories) {
      try {
        await mkdir(path, { recursive: true, mode: 0o700 });
      } catch (error) {
        return this.#fail(tree, `the directory ${showName(path)} cannot be made (${causeOf(error)})`);
      }
    }
    return path;
  }

  #secret(value: string): void {
    if (value !== '') this.found.secrets.add(value);
  }

  #fail(tree: ScalarTree, text: string): string {
    this.found.problems.push({ at: tree.at, path: tree.path, text });
    return '';
  }

  #warn(tree: ScalarTree, text: string): void {
    this.found.warnings.push({ at: tree.at, path: tree.path, text });
  }
}

/** Reads a regular file of at most that many bytes as UTF-8. A FIFO, which would be waited for, is refused. */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  // O_NONBLOCK: the opening of a FIFO without a writer would never return.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error('it is not a file');
    if (stats.size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    const bytes = await handle.readFile();
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } finally {
    await handle.close();
  }
}

const causes: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  EROFS: 'the file system is read-only',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
  ERR_INVALID_ARG_VALUE: 'its path is not valid',
};

/** Why a file could not be used, in words that hold nothing of it. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown cause';
  if (!('code' in error) || typeof error.code !== 'string') return error.message;
  return causes[error.code] ?? error.code;
}
