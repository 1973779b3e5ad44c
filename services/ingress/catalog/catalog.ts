import type { Principal } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { CacheHint, InstanceStatus, Manifest } from '../../../shared/mcp/manifest.ts';
import type { Endpoint } from '../request.ts';

/** The four lists an agent can ask for. */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';

/** Where a name of the agent's world leads. `target` is the server's own name or URI. */
export interface Target {
  readonly server: string;
  readonly target: string;
  /** The definition as the server sent it; absent for a resource no list names. */
  readonly definition?: JsonObject | undefined;
}

/** One page of a list, ready to send. */
export interface ListPage {
  /** JSON text of the result object: `{"tools":[…],"nextCursor":"…"}`. */
  readonly body: Uint8Array;
  readonly cache: CacheHint;
}

/** The part of the catalog one principal sees at one endpoint. Immutable: a change of the catalog makes a new view. */
export interface View {
  /** Changes whenever one of the lists does; equal versions mean equal bytes. */
  readonly version: string;
  readonly listVersions: Readonly<Record<ListKind, string>>;
  /** What `initialize` and `server/discover` declare: the union over the servers of this view, in modern words. */
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
  readonly serverInfo: JsonObject;
  /** `cursor` undefined is the first page; throws InvalidCursor for one we did not make or that is out of date. */
  list(kind: ListKind, era: 'modern' | 'legacy', cursor: string | undefined): ListPage;
  tool(name: string): Target | undefined;
  prompt(name: string): Target | undefined;
  /** True for a tool of this view that is kept back because its definition is not the pinned one. */
  hasChanged(name: string): boolean;
  /**
   * By exact list entry, else by template, else by the server that last returned a link to it, else by the only server whose
   * resources have that scheme, else by the only server that serves resources.
   */
  resource(uri: string): Target | undefined;
  /** A resource template by its own text, as `completion/complete` names it. */
  template(uriTemplate: string): Target | undefined;
  /** The server that takes a method toolbus does not know; only the endpoint of a server has one, and only for who may. */
  vendorMethod(method: string): string | undefined;
  /**
   * How this view's agents spell a URI of that server: with a prefix where the plain one leads to another server.
   * For every URI on its way to an agent (links in results, `notifications/resources/updated`).
   */
  agentUri(server: string, uri: string): string;
  /** True when results of that server may hold URIs that `agentUri` changes. */
  rewritesUris(server: string): boolean;
  /** True when links in results help `resource` to find the owner of a URI that no list names. */
  readonly learnsLinks: boolean;
  /** That server returned a link to this URI to an agent of this view. */
  noteLink(server: string, uri: string): void;
  /** Names of the servers in this view, sorted. */
  readonly servers: readonly string[];
}

export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor';
}

/** What all servers offer, kept in memory from what workers publish. Nothing here touches the network. */
export interface Catalog {
  /** Undefined when the endpoint's name is neither a server nor a toolset that this principal may see. */
  view(endpoint: Endpoint, principal: Principal): View | undefined;
  /** Called by the bus when a manifest arrived (`undefined`: the server was removed). */
  setManifest(server: string, manifest: Manifest | undefined): void;
  manifest(server: string): Manifest | undefined;
  /** Live worker processes of a server, kept by the bus. */
  instances(server: string): readonly InstanceStatus[];
  /** Calls back after any change, at most every 50 ms; returns the unsubscribe function. */
  onChange(listener: () => void): () => void;
}
