import { pino } from 'pino';
import { type Config, configSchema } from '../../../../shared/config/schema.ts';
import type { JsonObject } from '../../../../shared/mcp/json.ts';
import { createSealer } from '../../../../shared/seal.ts';
import type { AgentRequest, Handle } from '../../request.ts';
import { sendJson } from '../answers.ts';
import type { EdgeDeps, Exchange, LegacyEdge } from '../edge.ts';
import { createMemoryCluster } from '../legacy/testing/memory-session-bus.ts';
import { createModernEdge } from '../modern/edge.ts';
import { createPublicServer, type PublicServer, type PublicServerOptions } from '../server.ts';
import { createMemoryCatalog, type MemoryCatalog } from './memory-catalog.ts';
import { createMemoryTasks, type MemoryTasks } from './memory-tasks.ts';
import { createMemoryUpdates } from './memory-updates.ts';

/** A real public listener on a free port over a catalog in memory; the legacy edge says who it was asked for. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly server: PublicServer;
  readonly catalog: MemoryCatalog;
  /** What `handle` was asked, oldest first. */
  readonly requests: AgentRequest[];
  readonly watched: Set<string>;
  readonly tasks: MemoryTasks;
  updated(server: string, params: JsonObject): void;
  setConfig(config: JsonObject): void;
  stop(): void;
}

export interface TestServerOptions {
  readonly config?: JsonObject;
  readonly handle?: Handle;
  readonly tools?: readonly JsonObject[];
  readonly developmentKey?: string;
  readonly host?: string;
  readonly timeouts?: PublicServerOptions['timeouts'];
}

/** No authentication unless the test's config asks for it. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  let config = parse(options.config ?? {});
  const catalog = createMemoryCatalog(options.tools);
  const requests: AgentRequest[] = [];
  const stopping = new AbortController();
  const watched = new Set<string>();
  const resources = createMemoryUpdates(watched);
  const tasks = createMemoryTasks();
  const handle: Handle = options.handle ?? (async () => ({ kind: 'result', resultType: 'complete', body: '{}' }));
  const deps: EdgeDeps = {
    async handle(request) {
      requests.push(request);
      return handle(request);
    },
    catalog,
    sessions: createMemoryCluster().join('TESTINGRES'),
    resources,
    tasks,
    sealer: createSealer('test'),
    log: pino({ level: 'silent' }),
    config: () => config,
    stopping: stopping.signal,
  };
  const server = await createPublicServer({
    deps,
    modern: createModernEdge(deps),
    legacy: echoLegacy,
    host: options.host ?? '127.0.0.1',
    port: 0,
    developmentKey: options.developmentKey,
    ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
  });
  return {
    port: server.port,
    server,
    catalog,
    requests,
    watched,
    tasks,
    updated: resources.updated,
    setConfig(next) {
      config = parse(next);
    },
    stop: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      server.app.server.closeAllConnections();
      await server.close();
    },
  };
}

function parse(config: JsonObject): Config {
  return configSchema.parse({ auth: { mode: 'none' }, ...config });
}

/** Answers what reached the legacy edge, so that a test sees the routing. */
const echoLegacy: LegacyEdge = {
  post: (exchange, body) => echo('post', exchange, body),
  get: (exchange) => echo('get', exchange),
  delete: (exchange) => echo('delete', exchange),
  openSse: (exchange) => echo('openSse', exchange),
  postMessage: (exchange, sessionId, body) => echo(`postMessage ${sessionId}`, exchange, body),
  async close() {},
};

async function echo(
  legacy: string,
  { res, endpoint, principal, clientAddress }: Exchange,
  body?: unknown,
): Promise<void> {
  sendJson(res, 200, JSON.stringify({ legacy, endpoint, principal, clientAddress, body }));
}
