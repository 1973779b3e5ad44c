import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { pino } from 'pino';
import type { ResourceUpdate } from '../../../../../shared/bus/resource-events.ts';
import { configSchema } from '../../../../../shared/config/schema.ts';
import type { JsonObject } from '../../../../../shared/mcp/json.ts';
import { createSealer } from '../../../../../shared/seal.ts';
import type { AgentReply, AgentRequest, Endpoint, Handle } from '../../../request.ts';
import type { EdgeDeps, Exchange, LegacyEdge } from '../../edge.ts';
import { createMemoryCatalog, type MemoryCatalog } from '../../testing/memory-catalog.ts';
import { createMemoryTasks } from '../../testing/memory-tasks.ts';
import { createMemoryUpdates } from '../../testing/memory-updates.ts';
import { createLegacyEdge } from '../edge.ts';
import { createMemoryCluster, type MemoryCluster } from './memory-session-bus.ts';

export interface TestIngress {
  readonly url: string;
  readonly port: number;
  readonly edge: LegacyEdge;
  /** What `handle` was asked here, oldest first. */
  readonly calls: AgentRequest[];
  /** `server uri` of every resource watched here. */
  readonly watched: Set<string>;
  updated(server: string, params: JsonObject): void;
  /** As by SIGKILL: its connections break, and nothing of it reaches the other ingress any more. */
  kill(): void;
  stop(): void;
}

/** Two ingresses that share a catalog, a secret and a bus, as behind a proxy without affinity. */
export interface TwoIngresses extends AsyncDisposable {
  readonly a: TestIngress;
  readonly b: TestIngress;
  readonly catalog: MemoryCatalog;
  readonly cluster: MemoryCluster;
}

/** The agent's name is its bearer token; `anonymous` without one. */
export async function startTwoIngresses(handle: Handle, tools: readonly JsonObject[] = []): Promise<TwoIngresses> {
  const catalog = createMemoryCatalog(tools);
  const cluster = createMemoryCluster();
  const updates: ResourceUpdate[] = [];
  const a = await startIngress('INGRESSAAA', handle, catalog, cluster, updates);
  const b = await startIngress('INGRESSBBB', handle, catalog, cluster, updates);
  return {
    a,
    b,
    catalog,
    cluster,
    async [Symbol.asyncDispose]() {
      await Promise.all([a.close(), b.close()]);
    },
  };
}

async function startIngress(
  name: string,
  handle: Handle,
  catalog: MemoryCatalog,
  cluster: MemoryCluster,
  updates: ResourceUpdate[],
) {
  const calls: AgentRequest[] = [];
  const watched = new Set<string>();
  const resources = createMemoryUpdates(watched, updates);
  const stopping = new AbortController();
  const config = configSchema.parse({ auth: { mode: 'none' } });
  const deps: EdgeDeps = {
    handle(request) {
      calls.push(request);
      return handle(request);
    },
    catalog,
    sessions: cluster.join(name),
    resources,
    tasks: createMemoryTasks(),
    sealer: createSealer('the secret of the test'),
    log: pino({ level: 'silent' }),
    config: () => config,
    stopping: stopping.signal,
  };
  const edge = createLegacyEdge(deps);
  const server = createServer((req, res) => {
    serve(edge, req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    edge,
    calls,
    watched,
    updated: resources.updated,
    kill() {
      cluster.lose(name);
      server.closeAllConnections();
    },
    stop: () => stopping.abort(),
    async close() {
      stopping.abort();
      await edge.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(edge: LegacyEdge, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? '/', 'http://localhost');
  const [, door, name] = url.pathname.split('/');
  const endpoint: Endpoint = name === undefined ? { kind: 'all' } : { kind: 'server', name };
  const id = req.headers.authorization?.replace('Bearer ', '') ?? 'anonymous';
  const exchange: Exchange = {
    req,
    res,
    endpoint,
    principal: { id, method: 'key' },
    clientAddress: '127.0.0.1',
    receivedAt: performance.now(),
  };
  if (door === 'sse') return edge.openSse(exchange);
  if (req.method === 'GET') return edge.get(exchange);
  if (req.method === 'DELETE') return edge.delete(exchange);
  const body: unknown = await json(req);
  if (door === 'messages') return edge.postMessage(exchange, url.searchParams.get('sessionId') ?? '', body);
  return edge.post(exchange, body);
}

/** A complete result, with how long its upstream took. */
export function complete(result: JsonObject): AgentReply {
  return {
    kind: 'result',
    resultType: 'complete',
    body: JSON.stringify(result),
    timing: { totalMs: 2, upstreamMs: 1 },
  };
}

export function text(content: string): AgentReply {
  return complete({ content: [{ type: 'text', text: content }] });
}

export function inputRequired(result: JsonObject): AgentReply {
  const body = JSON.stringify({ resultType: 'input_required', ...result });
  return { kind: 'result', resultType: 'input_required', body };
}
