import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { createCatalog } from '../../services/ingress/catalog/create.ts';
import { manifestOf } from '../../services/ingress/catalog/testing/fixtures.ts';
import type { EdgeDeps } from '../../services/ingress/http/edge.ts';
import { createLegacyEdge } from '../../services/ingress/http/legacy/edge.ts';
import { createMemoryCluster } from '../../services/ingress/http/legacy/testing/memory-session-bus.ts';
import { createModernEdge } from '../../services/ingress/http/modern/edge.ts';
import { createPublicServer } from '../../services/ingress/http/server.ts';
import { createMemoryTasks } from '../../services/ingress/http/testing/memory-tasks.ts';
import { createMemoryUpdates } from '../../services/ingress/http/testing/memory-updates.ts';
import { createHandle } from '../../services/ingress/methods/index.ts';
import { type Config, configSchema } from '../../shared/config/schema.ts';
import type { Call } from '../../shared/mcp/call.ts';
import type { JsonObject } from '../../shared/mcp/json.ts';
import type { Manifest } from '../../shared/mcp/manifest.ts';
import { createSealer } from '../../shared/seal.ts';

/** The key of the only agent, `alice`. */
export const key = 'tb_properties_of_the_gateway_0123456789';
export const keyHash = `sha256:${createHash('sha256').update(key).digest('hex')}`;

/** A real listener with both edges, the catalog and every method; behind it the servers are only imagined. */
export interface TestGateway extends AsyncDisposable {
  readonly mcp: string;
  /** Calls that would have gone to a worker, oldest first. */
  readonly calls: Call[];
  /** What every call is answered with. */
  result: JsonObject;
  setConfig(config: object): void;
}

export async function startTestGateway(config: object, manifests: readonly Partial<Manifest>[]): Promise<TestGateway> {
  let parsed: Config = configSchema.parse(config);
  const sealer = createSealer('properties');
  const catalog = createCatalog({ config: () => parsed, sealer });
  for (const { server = '', ...parts } of manifests) catalog.setManifest(server, manifestOf(server, parts));
  const stopping = new AbortController();
  const calls: Call[] = [];
  const gateway = { result: {} as JsonObject };
  const handle = createHandle({
    catalog,
    sealer,
    config: () => parsed,
    async dispatch(call) {
      calls.push(call);
      return {
        kind: 'result',
        resultType: 'complete',
        body: Buffer.from(JSON.stringify(gateway.result)),
        isError: false,
        instance: 'one',
        timing: { totalMs: 0, upstreamMs: 0 },
      };
    },
  });
  const deps: EdgeDeps = {
    handle,
    catalog,
    sealer,
    sessions: createMemoryCluster().join('PROPERTIES'),
    resources: createMemoryUpdates(new Set()),
    tasks: createMemoryTasks(),
    log: pino({ level: 'silent' }),
    config: () => parsed,
    stopping: stopping.signal,
  };
  const legacy = createLegacyEdge(deps);
  const server = await createPublicServer({ deps, modern: createModernEdge(deps), legacy, host: '127.0.0.1', port: 0 });
  return Object.assign(gateway, {
    mcp: `http://127.0.0.1:${server.port}/mcp`,
    calls,
    setConfig(next: object) {
      parsed = configSchema.parse(next);
      catalog.configChanged();
      server.configChanged();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await legacy.close();
      server.app.server.closeAllConnections();
      await server.close();
      catalog.close();
    },
  });
}
