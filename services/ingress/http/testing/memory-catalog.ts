import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { Catalog, ListKind, View } from '../../catalog/catalog.ts';

/** A catalog of one server, kept in memory, whose lists can be changed while a test watches. */
export interface MemoryCatalog extends Catalog {
  /** Gives a list a new version and tells the listeners. */
  change(list: ListKind): void;
  /** The endpoint disappears. */
  remove(): void;
  readonly listeners: number;
}

const serverInfo = { name: 'toolbus', version: '0.0.0' };

/** The server is called `demo`; its resources are `demo://…` to agents and `own://…` to itself. */
export function createMemoryCatalog(tools: readonly JsonObject[] = []): MemoryCatalog {
  const listeners = new Set<() => void>();
  let versions: Record<ListKind, string> = { tools: '1', prompts: '1', resources: '1', resourceTemplates: '1' };
  let removed = false;
  let view = makeView();

  function makeView(): View {
    const listVersions = versions;
    return {
      version: Object.values(listVersions).join('.'),
      listVersions,
      capabilities: { tools: { listChanged: true }, prompts: {}, resources: { listChanged: true, subscribe: true } },
      instructions: 'Be kind.',
      serverInfo,
      servers: ['demo'],
      list: () => ({ body: Buffer.from('{"tools":[]}'), cache: { ttlMs: 1000, scope: 'private' } }),
      tool(name) {
        const definition = tools.find((tool) => tool['name'] === name);
        return definition === undefined ? undefined : { server: 'demo', target: name, definition };
      },
      prompt: () => undefined,
      hasChanged: () => false,
      template: () => undefined,
      vendorMethod: () => undefined,
      agentUri: (_server, uri) => uri.replace('own:', 'demo:'),
      rewritesUris: () => true,
      learnsLinks: false,
      noteLink() {},
      resource(uri) {
        return uri.startsWith('demo://') ? { server: 'demo', target: uri.replace('demo:', 'own:') } : undefined;
      },
    };
  }

  function tell() {
    for (const listener of [...listeners]) listener();
  }

  return {
    view(endpoint) {
      if (removed || (endpoint.kind !== 'all' && endpoint.name !== 'demo')) return undefined;
      return view;
    },
    setManifest() {},
    manifest: () => undefined,
    instances: () => [],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(list) {
      versions = { ...versions, [list]: `${versions[list]}+` };
      view = makeView();
      tell();
    },
    remove() {
      removed = true;
      tell();
    },
    get listeners() {
      return listeners.size;
    },
  };
}
