import { createHash } from 'node:crypto';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint } from '../../../shared/mcp/manifest.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { Sealer } from '../../../shared/seal.ts';
import type { Policy } from '../policy/policy.ts';
import type { ListKind, ListPage, Target, View } from './catalog.ts';
import type { Directory } from './directory.ts';
import type { LinkMemory } from './links.ts';
import type { Listed } from './listed.ts';
import { naturalName } from './names.ts';
import type { Entry } from './offering.ts';
import { createPages, type Pages } from './pages.ts';
import { createResourceIndex } from './resource-index.ts';

/** The part of a view that lists come from; it outlives changes that concern no list, such as a worker that went away. */
export type ViewLists = Omit<View, 'version' | 'capabilities' | 'instructions' | 'serverInfo'>;

export interface ViewListsOptions {
  readonly directory: Directory;
  readonly policy: Policy;
  /** Servers of the view, sorted; some may have no manifest yet. */
  readonly servers: readonly string[];
  /** Those that serve resources. */
  readonly resourceServers: readonly string[];
  /** True at the endpoint of a server. */
  readonly single: boolean;
  readonly cache: CacheHint;
  readonly sealer: Sealer;
  readonly links: LinkMemory;
  /** Tools of these servers that agents do not get because their definition changed. */
  readonly withheld: readonly Entry[];
}

/** What a principal with that policy finds under these servers. */
export function createViewLists(options: ViewListsOptions): ViewLists {
  const { directory, policy, servers, resourceServers, single, links, withheld } = options;
  const permitted = (kind: ListKind, permits: (server: string, target: string) => boolean): readonly Listed[] =>
    directory.list(kind, servers).filter(({ entry }) => permits(entry.server, entry.target));
  const lists: Readonly<Record<ListKind, readonly Listed[]>> = {
    tools: permitted('tools', policy.permitsTool),
    prompts: permitted('prompts', policy.permitsPrompt),
    resources: permitted('resources', policy.permitsResource),
    resourceTemplates: permitted('resourceTemplates', policy.permitsResource),
  };
  const pages: Readonly<Record<ListKind, Pages>> = {
    tools: createPages('tools', lists.tools, options.sealer),
    prompts: createPages('prompts', lists.prompts, options.sealer),
    resources: createPages('resources', lists.resources, options.sealer),
    resourceTemplates: createPages('resourceTemplates', lists.resourceTemplates, options.sealer),
  };
  const tools = targets(lists.tools);
  const prompts = targets(lists.prompts);
  const index = createResourceIndex({
    resources: lists.resources,
    templates: lists.resourceTemplates,
    servers: resourceServers,
    single,
    permits: policy.permitsResource,
    listedUri: directory.listedUri,
    linkedBy: (uri) => links.serverOf(policy.key, uri),
  });
  const ready = new WeakMap<Uint8Array, ListPage>();
  return {
    servers,
    listVersions: {
      get tools() {
        return pages.tools.version;
      },
      get prompts() {
        return pages.prompts.version;
      },
      get resources() {
        return pages.resources.version;
      },
      get resourceTemplates() {
        return pages.resourceTemplates.version;
      },
    },
    list(kind: ListKind, era: Era, cursor: string | undefined): ListPage {
      const body = pages[kind].page(era, cursor);
      const page = ready.get(body) ?? { body, cache: options.cache };
      ready.set(body, page);
      return page;
    },
    tool: (name) => tools.get(name),
    prompt: (name) => prompts.get(name),
    hasChanged: (name) =>
      withheld.some(
        ({ server, target }) =>
          name === (single ? target : naturalName(server, target)) && policy.permitsTool(server, target),
      ),
    ...index,
    vendorMethod: (method) => servers.find((server) => single && policy.permitsMethod(server, method)),
    rewritesUris: (server) => directory.rewritten.has(server),
    learnsLinks: resourceServers.length > 1,
    noteLink: (server, uri) => links.note(policy.key, server, uri),
  };
}

export interface Introduction {
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  readonly serverInfo: JsonObject;
}

/** A view: its lists and how it introduces itself. */
export function createView(lists: ViewLists, introduction: Introduction): View {
  let version: string | undefined;
  return {
    servers: lists.servers,
    listVersions: lists.listVersions,
    list: lists.list,
    tool: lists.tool,
    prompt: lists.prompt,
    hasChanged: lists.hasChanged,
    resource: lists.resource,
    template: lists.template,
    agentUri: lists.agentUri,
    vendorMethod: lists.vendorMethod,
    rewritesUris: lists.rewritesUris,
    learnsLinks: lists.learnsLinks,
    noteLink: lists.noteLink,
    ...introduction,
    get version() {
      const { tools, prompts, resources, resourceTemplates } = lists.listVersions;
      version ??= createHash('sha256')
        .update(JSON.stringify([tools, prompts, resources, resourceTemplates, introduction]))
        .digest('base64url')
        .slice(0, 22);
      return version;
    },
  };
}

function targets(lists: readonly Listed[]): ReadonlyMap<string, Target> {
  return new Map(
    lists.map(({ name, entry }) => [
      name,
      { server: entry.server, target: entry.target, definition: entry.definition },
    ]),
  );
}
