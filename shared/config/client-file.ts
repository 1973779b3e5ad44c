import { joinPath, type Problem, showName } from './problems.ts';
import { serverName } from './schema.ts';
import type { MapTree, Tree } from './tree.ts';
import { unknownKey, validKeys } from './validate.ts';

export interface Adopted {
  readonly root: Tree;
  /** The file is a client's own, not ours: what we do not know in it is passed over. */
  readonly clientFile: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const ourKeys = ['toolsets', 'agents', 'auth', 'access', 'limits', 'audit', 'nats', 'cluster'];
const maxKeysNamed = 8;

/** Spellings of a key or a transport that clients use (Gemini, Windsurf, Cline) and what they are here. */
const keyAliases: ReadonlyMap<string, string> = new Map([
  ['httpUrl', 'url'],
  ['serverUrl', 'url'],
]);
const typeAliases: ReadonlyMap<string, string> = new Map([
  ['streamablehttp', 'http'],
  ['streamable-http', 'http'],
  ['streamable_http', 'http'],
]);

/**
 * Makes `mcpServers` (Claude, Cursor and others) mean `servers`. A file is a client's own when it has `mcpServers`, or VS Code's `servers` with
 * `inputs`, and no section of ours; there unknown keys become warnings, and names that cannot be ours are adapted. In our own file both keys may
 * stand as long as no name is in both. `isClients`: the caller knows whose it is.
 */
export function adoptClientServers(root: Tree, file: string, isClients?: boolean): Adopted {
  if (root.kind !== 'map') return { root, clientFile: false, problems: [], warnings: [] };
  const { entries } = root;
  const theirs = entries.get('mcpServers');
  const clientFile = isClients ?? isClientFile(entries, file);
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const merged = new Map<string, Tree>(entries);
  merged.delete('mcpServers');
  if (theirs !== undefined) {
    const ours = entries.get('servers');
    merged.set('servers', ours === undefined ? theirs : mergeServers(ours, theirs, problems));
  }
  if (!clientFile) return { root: { ...root, entries: merged }, clientFile, problems, warnings };

  const ignored = [...merged.values()].filter(
    (entry) => entry !== merged.get('servers') && entry !== merged.get('$schema'),
  );
  for (const [key] of entries) if (key !== 'servers' && key !== 'mcpServers' && key !== '$schema') merged.delete(key);
  const first = ignored.find((entry) => entry.path !== 'inputs');
  if (first !== undefined) {
    const names = ignored.filter((entry) => entry.path !== 'inputs').map((entry) => entry.path);
    const more = names.length > maxKeysNamed ? ` and ${names.length - maxKeysNamed} more` : '';
    warnings.push({
      at: first.keyAt,
      path: '',
      text: `keys of the client are ignored: ${names.slice(0, maxKeysNamed).join(', ')}${more}`,
    });
  }
  const servers = merged.get('servers');
  if (servers?.kind === 'map') merged.set('servers', adaptServers(servers, problems, warnings));
  return { root: { ...root, entries: merged }, clientFile, problems, warnings };
}

function isClientFile(entries: ReadonlyMap<string, Tree>, file: string): boolean {
  if (ourKeys.some((key) => entries.has(key))) return false;
  if (entries.has('mcpServers')) return !entries.has('servers');
  return entries.has('servers') && (entries.has('inputs') || /[\\/]\.vscode[\\/]mcp\.json$/.test(file));
}

function mergeServers(ours: Tree, theirs: Tree, problems: Problem[]): Tree {
  if (ours.kind !== 'map' || theirs.kind !== 'map') return ours.kind === 'map' ? theirs : ours;
  const entries = new Map(ours.entries);
  for (const [name, entry] of theirs.entries) {
    if (entries.has(name)) {
      problems.push({ at: entry.keyAt, path: entry.path, text: `is a duplicate of ${joinPath('servers', name)}` });
    } else entries.set(name, entry);
  }
  return { ...ours, entries };
}

function adaptServers(servers: MapTree, problems: Problem[], warnings: Problem[]): Tree {
  const entries = new Map<string, Tree>();
  for (const [name, entry] of servers.entries) {
    const adapted = serverName.safeParse(name).success ? name : adaptName(name);
    if (adapted === undefined || entries.has(adapted)) {
      const text =
        adapted === undefined ? 'is not a name that can be adapted' : `is a duplicate of ${showName(adapted)}`;
      problems.push({ at: entry.keyAt, path: entry.path, text });
      continue;
    }
    if (adapted !== name) warnings.push({ at: entry.keyAt, path: entry.path, text: `is called ${adapted} here` });
    entries.set(adapted, entry.kind === 'map' ? adaptEntry(entry, warnings) : entry);
  }
  return { ...servers, entries };
}

function adaptName(name: string): string | undefined {
  const adapted = name
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/_{2,}/g, '_')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
    .slice(0, 40);
  return serverName.safeParse(adapted).success ? adapted : undefined;
}

function adaptEntry(entry: MapTree, warnings: Problem[]): Tree {
  const valid = validKeys(['servers', '*']);
  const entries = new Map<string, Tree>();
  for (const [key, value] of entry.entries) {
    const known = valid.includes(key) ? key : keyAliases.get(key);
    if (key === 'auth' && isCursorsAuth(value)) {
      warnings.push({ at: value.keyAt, path: value.path, text: 'means something else here; it is ignored' });
    } else if (known === undefined) {
      warnings.push({
        at: value.keyAt,
        path: value.path,
        text: `${unknownKey(key, valid)}; it is ignored`.replace('?;', '?'),
      });
    } else if (value.kind !== 'scalar' || value.value !== null) {
      entries.set(known, known === 'type' ? adaptType(value) : value);
      if (key === 'httpUrl' && !entry.entries.has('type')) {
        entries.set('type', { kind: 'scalar', path: value.path, keyAt: value.keyAt, at: value.at, value: 'http' });
      }
    }
  }
  return { ...entry, entries };
}

/** Cursor's has a client id and a secret and no type. */
function isCursorsAuth(tree: Tree): boolean {
  return tree.kind !== 'map' || !tree.entries.has('type');
}

function adaptType(tree: Tree): Tree {
  if (tree.kind !== 'scalar' || typeof tree.value !== 'string') return tree;
  return { ...tree, value: typeAliases.get(tree.value.toLowerCase()) ?? tree.value };
}
