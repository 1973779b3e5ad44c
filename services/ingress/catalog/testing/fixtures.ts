import { createHash } from 'node:crypto';
import { type Config, configSchema } from '../../../../shared/config/schema.ts';
import type { Principal } from '../../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { InstanceStatus, Manifest } from '../../../../shared/mcp/manifest.ts';
import { createSealer } from '../../../../shared/seal.ts';
import { createCatalog, type LiveCatalog } from '../create.ts';

/** What tests of the catalog and the methods are built from. */

export const sealer = createSealer('a secret of the tests');
export const everyone: Principal = { id: 'development', method: 'development' };

export function agent(id: string): Principal {
  return { id, method: 'key' };
}

export function configOf(config: object = {}): Config {
  return configSchema.parse(config);
}

export function manifestOf(server: string, parts: Partial<Manifest> = {}): Manifest {
  const rest = {
    eras: ['modern' as const],
    protocolVersion: '2026-07-28',
    serverInfo: { name: `${server} itself`, version: '1.0.0' },
    capabilities: { tools: {}, prompts: {}, resources: {}, completions: {} },
    tools: [],
    prompts: [],
    resources: [],
    resourceTemplates: [],
    ...parts,
  };
  return { server, hash: createHash('sha256').update(JSON.stringify(rest)).digest('hex'), ...rest };
}

export function tool(name: string, rest: JsonObject = {}): JsonObject {
  return { name, description: `Does ${name}.`, inputSchema: { type: 'object' }, ...rest };
}

export function resource(uri: string, rest: JsonObject = {}): JsonObject {
  return { uri, name: uri, ...rest };
}

export function template(uriTemplate: string): JsonObject {
  return { uriTemplate, name: uriTemplate };
}

export function catalogOf(config: object, manifests: readonly Manifest[]): LiveCatalog {
  const parsed = configOf(config);
  const catalog = createCatalog({ config: () => parsed, sealer, version: '0.0.0-test' });
  for (const manifest of manifests) catalog.setManifest(manifest.server, manifest);
  return catalog;
}

export function statusOf(server: string, instance: string, parts: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    server,
    instance,
    state: 'ready',
    tools: 0,
    concurrency: 16,
    inFlight: 0,
    breaker: 'closed',
    eras: ['modern'],
    transport: 'http',
    restarts: 0,
    pid: 1,
    host: 'test',
    version: '0.0.0-test',
    startedAt: 0,
    ...parts,
  };
}

/** The items of a page. */
export function itemsOf(body: Uint8Array | string, kind: string): JsonObject[] {
  return JSON.parse(Buffer.from(body).toString('utf8'))[kind];
}
