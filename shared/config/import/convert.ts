import { homedir } from 'node:os';
import { basename, dirname } from 'node:path';
import { unpinnedPackage } from '../checks.ts';
import { adoptClientServers } from '../client-file.ts';
import { formatProblem, invalidConfig, type Locate, showName } from '../problems.ts';
import { resolveReferences } from '../resolve.ts';
import { serverSchema } from '../schema.ts';
import { parseTree, type Syntax, type Tree, toValue } from '../tree.ts';
import type { ClientVariables } from './rewrite.ts';
import { mayShowHeader, mayShowVariable } from './secrets.ts';
import { Values, type ValuesContext } from './values.ts';

/** A server of a client's file, as an entry of toolbus' own. */
export interface ImportedServer {
  readonly name: string;
  /** Absent: it cannot be carried over; the notes say why. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** What was changed or lost. */
  readonly notes: readonly string[];
}

export interface Imported {
  readonly servers: readonly ImportedServer[];
  /** What concerns the file as a whole. */
  readonly notes: readonly string[];
  /** Variables that must be set for the entries to work, sorted. */
  readonly variables: readonly string[];
}

export interface ImportOptions {
  readonly text: string;
  readonly syntax: Syntax;
  /** Absolute path: tells whose file it is and what `${workspaceFolder}` means. */
  readonly file: string;
  /** As errors name it. */
  readonly shown: string;
  readonly platform: NodeJS.Platform;
}

/**
 * Turns a file of Claude, Cursor, VS Code and others into entries. References stay references; what may be a secret becomes one. Throws
 * OperatorError (exit code 2) with `file:line:col` for a file that is broken or holds no servers.
 */
export async function importClientFile({ text, syntax, file, shown, platform }: ImportOptions): Promise<Imported> {
  const { root, problems, locate } = parseTree(text, syntax);
  if (root === undefined || problems.length > 0) throw invalidConfig(shown, locate, problems);
  const adopted = adoptClientServers(serversOf(root), file, true);
  const servers = adopted.root.kind === 'map' ? adopted.root.entries.get('servers') : undefined;
  if (servers?.kind !== 'map') {
    throw invalidConfig(shown, locate, [{ at: 0, path: '', text: 'holds neither mcpServers nor servers' }]);
  }
  const variables = new Set<string>();
  const literals = new Map<string, string>();
  const place: ClientVariables = { workspaceFolder: workspaceOf(file), platform };
  const imported: ImportedServer[] = [];
  for (const [name, tree] of servers.entries) {
    const notes = adopted.warnings
      .filter(({ path }) => path === tree.path || path.startsWith(`${tree.path}.`))
      .map((warning) => noteOf(warning.path, tree.path, warning.text));
    imported.push(await convertServer(name, tree, { place, notes, variables, literals, shown, locate }));
  }
  const general = adopted.warnings.filter(({ path }) => path === '').map(({ text: note }) => note);
  const refused = adopted.problems.map((problem) => formatProblem(shown, locate, problem));
  return { servers: imported, notes: [...general, ...refused], variables: [...variables].sort() };
}

/** Older VS Code keeps them in its settings, below `mcp`. */
function serversOf(root: Tree): Tree {
  if (root.kind !== 'map') return root;
  const mcp = root.entries.get('mcp');
  return mcp?.kind === 'map' && mcp.entries.has('servers') ? mcp : root;
}

function workspaceOf(file: string): string {
  const folder = dirname(file);
  const holder = basename(folder);
  const isUsers = dirname(folder) === homedir();
  return (holder === '.vscode' || holder === '.cursor') && !isUsers ? dirname(folder) : folder;
}

function noteOf(path: string, of: string, text: string): string {
  const member = path.slice(of.length + 1);
  return member === '' ? text : `${member}: ${text}`;
}

interface Context extends ValuesContext {
  readonly variables: Set<string>;
  readonly locate: Locate;
}

async function convertServer(name: string, tree: Tree, context: Context): Promise<ImportedServer> {
  const { notes, variables } = context;
  if (tree.kind !== 'map') return { name, notes: [...notes, 'it is not an object'] };
  const needed = new Set<string>();
  const values = new Values(name, context, needed);
  const entry: Record<string, unknown> = Object.create(null);
  for (const [key, value] of tree.entries) {
    if (key === 'env' && value.kind === 'map') entry[key] = values.record(value, mayShowVariable, (own) => own);
    else if (key === 'headers' && value.kind === 'map') {
      entry[key] = values.record(value, mayShowHeader, (own) => `${name}_${own}`);
    } else if (key === 'args' && value.kind === 'list') entry[key] = values.args(value.items);
    else if (key === 'url' && value.kind === 'scalar') entry[key] = values.url(value);
    else entry[key] = values.plain(value);
  }
  const problem = await problemOf(entry, needed);
  if (problem !== undefined) {
    const { line } = context.locate(tree.at);
    return {
      name,
      notes: [...notes, `cannot be carried over: ${problem} (line ${line} of ${showName(context.shown)})`],
    };
  }
  for (const variable of needed) variables.add(variable);
  const { command, args } = entry;
  const pkg = unpinnedPackage({
    command: typeof command === 'string' ? command : undefined,
    args: Array.isArray(args) ? args.filter((arg): arg is string => typeof arg === 'string') : [],
  });
  if (pkg !== undefined)
    notes.push(`warning: runs whatever version of ${showName(pkg)} is newest; pin one: ${showName(pkg)}@1.2.3`);
  return { name, entry, notes };
}

/** Whether toolbus would take the entry, were its variables set. */
async function problemOf(
  entry: Readonly<Record<string, unknown>>,
  needed: ReadonlySet<string>,
): Promise<string | undefined> {
  const { root } = parseTree(JSON.stringify(entry), 'json');
  if (root === undefined) return 'it cannot be written as JSON';
  // A URL is what passes wherever a variable may stand.
  const env = Object.fromEntries([...needed, 'HOME', 'USERPROFILE'].map((name) => [name, 'http://variable.invalid']));
  const resolved = await resolveReferences(root, {
    file: '/toolbus.yaml',
    env,
    cwd: '/',
    dataDir: '/',
    makeDirectories: false,
    clientFile: false,
  });
  const [unread] = resolved.problems;
  if (unread !== undefined) return unread.text;
  const value = toValue(resolved.root);
  const parsed = serverSchema.safeParse(withPlainUrl(value));
  if (parsed.success) return undefined;
  const [issue] = parsed.error.issues;
  return issue === undefined ? 'it is not valid' : [...issue.path.map(String), issue.message].join(': ');
}

/** A URL put together from parts and variables need not look like one while these are unknown. */
function withPlainUrl(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('url' in value) || typeof value.url !== 'string') return value;
  return value.url.includes('variable.invalid') ? { ...value, url: 'http://variable.invalid' } : value;
}
