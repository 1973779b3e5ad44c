import fastify, { type FastifyReply } from 'fastify';
import type { LiveCatalog } from '../../catalog/create.ts';
import type { Metrics } from '../../metrics.ts';
import { listen } from '../listen.ts';

export interface AdminServerOptions {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly catalog: LiveCatalog;
  readonly metrics: Metrics;
  readonly checks: readonly ReadinessCheck[];
  /** Names of all servers that are configured or known, sorted. */
  servers(): readonly string[];
}

/** One reason why this process is or is not ready. */
export interface ReadinessCheck {
  readonly name: string;
  run(): { readonly ok: boolean; readonly reason: string };
}

export interface AdminServer {
  /** `http://host:port` */
  readonly url: string;
  close(): Promise<void>;
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The operators' listener: health, metrics and read-only facts. It is bound to loopback unless told otherwise. */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, port, catalog, metrics } = options;
  const app = fastify({ logger: false, requestTimeout: 10_000, forceCloseConnections: true });
  const onLoopback = loopbackNames.has(host) || host === '::1';

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    // A page of the web that was rebound to loopback comes with its own name in Host.
    const name = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    if (onLoopback && !loopbackNames.has(name)) return reply.code(403).send({ error: 'host not allowed' });
    return undefined;
  });

  app.get('/livez', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const checks = options.checks.map(({ name, run }) => ({ name, ...run() }));
    const ok = checks.every((check) => check.ok);
    return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'not ready', checks });
  });
  app.get('/metrics', async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.type(metrics.registry.contentType).send(text);
  });
  app.get('/api/servers', () => ({
    servers: options.servers().map((name) => ({ name, instances: catalog.instances(name) })),
  }));
  app.get<{ Querystring: { agent?: string; server?: string; all?: string } }>('/api/tools', (request, reply) => {
    const { agent, server, all } = request.query;
    return answerOrRefuse(reply, () => ({
      tools: catalog.describe({ agent, server, all: all !== undefined && all !== 'false' }),
    }));
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }));

  const bound = await listen(app, host, port, '--admin-port');
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () => app.close(),
  };
}

function answerOrRefuse(reply: FastifyReply, answer: () => object): object {
  try {
    return answer();
  } catch (error) {
    return reply.code(400).send({ error: error instanceof Error ? error.message : 'bad request' });
  }
}
