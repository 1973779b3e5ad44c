import type { ListKind } from './catalog.ts';
import type { Listed, Lister } from './listed.ts';
import { assignNames, fullName } from './names.ts';
import type { Entry, Offering } from './offering.ts';
import { collidingUris, prefixUri } from './uris.ts';

/** What each server offers under the names of one kind of endpoint, whoever looks. */
export interface Directory {
  /** Sorted. */
  readonly servers: readonly string[];
  /** Of these servers, in this order, each in its own order. */
  list(kind: ListKind, servers: readonly string[]): readonly Listed[];
  /** How the endpoint spells a URI (or a template) that a list of the server names. */
  listedUri(server: string, uri: string): string;
  /** Servers some of whose URIs are spelled with a prefix. */
  readonly rewritten: ReadonlySet<string>;
}

/**
 * The aggregate's names. They depend on all servers and on no agent, so that a tool is called the same in every view.
 * `offered` leaves out the tools that the configuration hides from everyone.
 */
export function aggregateDirectory(
  offerings: ReadonlyMap<string, Offering>,
  offered: (entry: Entry) => boolean,
  listEntry: Lister,
): Directory {
  const servers = [...offerings.keys()].sort();
  const all = (kind: ListKind): Entry[] => servers.flatMap((server) => offerings.get(server)?.entries[kind] ?? []);
  const prefixed = new Set([...collidingUris(all('resources')), ...collidingUris(all('resourceTemplates'))]);
  const uris = new Map(
    [...prefixed].map((entry) => [key(entry.server, entry.target), prefixUri(entry.server, entry.target)]),
  );
  const rewritten = new Set([...prefixed].map((entry) => entry.server));
  const listedUri = (server: string, uri: string): string => uris.get(key(server, uri)) ?? uri;

  const byName = (kind: 'tools' | 'prompts'): Listed[] => {
    const entries = kind === 'tools' ? all(kind).filter(offered) : all(kind);
    const names = assignNames(entries.map(({ server, target }) => ({ server, name: target })));
    return entries.map((entry, at) => {
      const name = names[at] ?? '';
      const agentUri = rewritten.has(entry.server) ? (uri: string) => listedUri(entry.server, uri) : undefined;
      return listEntry(kind, entry, name, { renamed: name !== fullName(entry.server, entry.target), agentUri });
    });
  };
  const byUri = (kind: 'resources' | 'resourceTemplates'): Listed[] =>
    all(kind).map((entry) =>
      listEntry(kind, entry, prefixed.has(entry) ? prefixUri(entry.server, entry.target) : entry.target),
    );
  const shelves: Readonly<Record<ListKind, Shelf>> = {
    tools: shelve(byName('tools')),
    prompts: shelve(byName('prompts')),
    resources: shelve(byUri('resources')),
    resourceTemplates: shelve(byUri('resourceTemplates')),
  };
  return {
    servers,
    list: (kind, wanted) => wanted.flatMap((server) => shelves[kind].get(server) ?? []),
    listedUri,
    rewritten,
  };
}

/** One server's own names and URIs, untouched. */
export function bareDirectory(
  server: string,
  offering: Offering | undefined,
  offered: (entry: Entry) => boolean,
  listEntry: Lister,
): Directory {
  const list = (kind: ListKind): Listed[] => {
    const entries = offering?.entries[kind] ?? [];
    return (kind === 'tools' ? entries.filter(offered) : entries).map((entry) => listEntry(kind, entry, entry.target));
  };
  const lists: Readonly<Record<ListKind, readonly Listed[]>> = {
    tools: list('tools'),
    prompts: list('prompts'),
    resources: list('resources'),
    resourceTemplates: list('resourceTemplates'),
  };
  return {
    servers: [server],
    list: (kind) => lists[kind],
    listedUri: (_server, uri) => uri,
    rewritten: new Set(),
  };
}

type Shelf = ReadonlyMap<string, readonly Listed[]>;

function shelve(list: readonly Listed[]): Shelf {
  const shelf = new Map<string, Listed[]>();
  for (const listed of list) {
    const { server } = listed.entry;
    const same = shelf.get(server);
    if (same) same.push(listed);
    else shelf.set(server, [listed]);
  }
  return shelf;
}

function key(server: string, uri: string): string {
  return `${server}\0${uri}`;
}
