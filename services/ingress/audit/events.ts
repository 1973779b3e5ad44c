import { toolDigest } from '../../../shared/audit/digest.ts';
import type { Config } from '../../../shared/config/schema.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Manifest } from '../../../shared/mcp/manifest.ts';
import type { Blocks } from '../blocks/blocks.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Audit } from './audit.ts';

export interface EventSources {
  readonly catalog: Pick<Catalog, 'manifest' | 'onChange'>;
  readonly blocks: Pick<Blocks, 'onChange'>;
  servers(): Iterable<string>;
}

/** Tools of one server that an event names; a server with more is known by its version alone. */
const maxTools = 2_000;

/** Records the turns of the kill switch and every change of what servers offer. Returns what ends it. */
export function recordEvents(audit: Pick<Audit, 'event'>, { catalog, blocks, servers }: EventSources): () => void {
  const seen = new Map<string, string>();
  const look = (): void => {
    const present = new Set(servers());
    for (const server of present) {
      const manifest = catalog.manifest(server);
      if (manifest === undefined || seen.get(server) === manifest.hash) continue;
      seen.set(server, manifest.hash);
      audit.event('catalog', catalogDetail(server, manifest));
    }
    for (const server of seen.keys()) {
      if (present.has(server) && catalog.manifest(server) !== undefined) continue;
      seen.delete(server);
      audit.event('catalog', { server, removed: true });
    }
  };
  look();
  const stopCatalog = catalog.onChange(look);
  const stopBlocks = blocks.onChange(({ kind, name, blocked, reason, by, at }) => {
    audit.event('kill_switch', { kind, name, blocked, at, ...(reason !== undefined && { reason }) }, by);
  });
  return () => {
    stopCatalog();
    stopBlocks();
  };
}

/** Names the sections that differ. */
export function configDetail(before: Config, after: Config): JsonObject {
  const text = (config: Config) => new Map(Object.entries(config).map(([name, part]) => [name, JSON.stringify(part)]));
  const [old, next] = [text(before), text(after)];
  const changed = [...new Set([...old.keys(), ...next.keys()])].filter((name) => old.get(name) !== next.get(name));
  return { changed };
}

function catalogDetail(server: string, { hash, tools }: Manifest): JsonObject {
  const version = shortVersion(hash);
  if (tools.length > maxTools) return { server, version, count: tools.length };
  const digests: JsonObject = Object.create(null);
  for (const tool of tools) {
    if (typeof tool.name === 'string') digests[tool.name.slice(0, 128)] = toolDigest(tool);
  }
  return { server, version, count: tools.length, tools: digests };
}

/** How records name a version of what a server offers: the first 16 digits of the manifest's hash. */
export function shortVersion(hash: string): string {
  return hash.slice(0, 16);
}
