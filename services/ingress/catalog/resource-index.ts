import type { Target } from './catalog.ts';
import type { Listed } from './listed.ts';
import { compileTemplate, type UriTemplate } from './uri-template.ts';
import { prefixUri, schemeOf, splitUri } from './uris.ts';

/** Which server of a view a URI belongs to. */
export interface ResourceIndex {
  resource(uri: string): Target | undefined;
  template(uriTemplate: string): Target | undefined;
  agentUri(server: string, uri: string): string;
}

export interface ResourceIndexOptions {
  readonly resources: readonly Listed[];
  readonly templates: readonly Listed[];
  /** Servers of the view that serve resources, sorted. */
  readonly servers: readonly string[];
  /** The endpoint belongs to one server: every URI is its own. */
  readonly single: boolean;
  permits(server: string, uri: string): boolean;
  listedUri(server: string, uri: string): string;
  linkedBy(uri: string): string | undefined;
}

/** Builds the index; nothing is compiled before the first URI that no list names. */
export function createResourceIndex(options: ResourceIndexOptions): ResourceIndex {
  const { servers, single, permits } = options;
  const byUri = new Map(options.resources.map((listed) => [listed.name, targetOf(listed)]));
  const byText = new Map(options.templates.map((listed) => [listed.name, targetOf(listed)]));
  let compiled: { readonly target: Target; readonly template: UriTemplate }[] | undefined;
  let schemes: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  /** The most specific template wins; among equals the first of the list. */
  const matching = (uri: string): Target | undefined => {
    compiled ??= compileAll(options.templates);
    return compiled.find(({ template, target }) => permits(target.server, uri) && template.matches(uri))?.target;
  };
  const guess = (uri: string): string | undefined => {
    const linked = options.linkedBy(uri);
    if (linked !== undefined && servers.includes(linked)) return linked;
    schemes ??= serversByScheme([...options.resources, ...options.templates]);
    const alike = schemes.get(schemeOf(uri) ?? '');
    if (alike?.size === 1) return [...alike][0];
    return alike === undefined && servers.length === 1 ? servers[0] : undefined;
  };
  const at = (server: string | undefined, uri: string): Target | undefined =>
    server !== undefined && permits(server, uri) ? { server, target: uri } : undefined;

  const resource = (uri: string): Target | undefined => {
    const exact = byUri.get(uri);
    if (exact) return exact;
    if (single) return at(servers[0], uri);
    const split = splitUri(uri, servers);
    if (split) return at(split.server, split.uri);
    return at(matching(uri)?.server, uri) ?? at(guess(uri), uri);
  };
  return {
    resource,
    template: (uriTemplate) => byText.get(uriTemplate),
    agentUri(server, uri) {
      if (single) return uri;
      const listed = options.listedUri(server, uri);
      if (listed !== uri) return listed;
      const owner = byUri.get(uri) ?? matching(uri);
      return owner === undefined || owner.server === server ? uri : prefixUri(server, uri);
    },
  };
}

function targetOf({ entry }: Listed): Target {
  return { server: entry.server, target: entry.target, definition: entry.definition };
}

function compileAll(templates: readonly Listed[]): { target: Target; template: UriTemplate }[] {
  return templates
    .flatMap((listed) => {
      // A prefixed template was second to an equal one; its URIs carry the prefix.
      const template = listed.name === listed.entry.target ? compileTemplate(listed.entry.target) : undefined;
      return template ? [{ target: targetOf(listed), template }] : [];
    })
    .sort((a, b) => b.template.weight - a.template.weight);
}

function serversByScheme(lists: readonly Listed[]): Map<string, Set<string>> {
  const schemes = new Map<string, Set<string>>();
  for (const { entry } of lists) {
    const scheme = schemeOf(entry.target);
    if (scheme !== undefined) schemes.set(scheme, (schemes.get(scheme) ?? new Set()).add(entry.server));
  }
  return schemes;
}
