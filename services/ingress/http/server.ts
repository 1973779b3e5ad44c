import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '../../../shared/config/schema.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { type Admitted, createDoor, type Door, type Refused } from '../access/admit.ts';
import type { Endpoint } from '../request.ts';
import { rpcErrorBody } from './answers.ts';
import { createConnectionCloser } from './connection-closer.ts';
import type { EdgeDeps, Exchange, LegacyEdge, ModernEdge } from './edge.ts';
import { parseGuarded } from './json-guard.ts';
import { listen } from './listen.ts';
import { BodyTooLarge, readBody } from './read-body.ts';
import { createStreamableHttp } from './streamable-http.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook; absent on paths that do not exist. */
    admitted: Admitted | null;
    receivedAt: number;
  }
}

export interface PublicServerOptions {
  readonly deps: EdgeDeps;
  readonly modern: ModernEdge;
  readonly legacy: LegacyEdge;
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  /** See createAuthenticate. */
  readonly developmentKey?: string | undefined;
  /** Shortened by tests that cause slow agents. Milliseconds. */
  readonly timeouts?: { readonly requestMs: number; readonly headersMs: number };
}

export interface PublicServer {
  readonly app: FastifyInstance;
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, an IPv6 host in brackets. */
  readonly url: string;
  /** Stops listening and waits for open answers; streams must have been ended before (`deps.stopping`). */
  close(): Promise<void>;
}

const everything: Endpoint = { kind: 'all' };

/**
 * Starts the public listener (CONTRACT §3). Throws an OperatorError where the configuration cannot be served on this address.
 * What is not listed here answers 404; every path that exists asks for authentication.
 */
export async function createPublicServer(options: PublicServerOptions): Promise<PublicServer> {
  const { deps, modern, legacy, host } = options;
  const timeouts = options.timeouts ?? { requestMs: 30_000, headersMs: 10_000 };
  const app = fastify({
    logger: false,
    // Ours answers `shutting_down` with its reason; Fastify's 503 has none.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    requestTimeout: timeouts.requestMs,
    // Longer than the idle time of usual pools and proxies (60 s), so that they close first and lose no request.
    keepAliveTimeout: 75_000,
    http: { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: 1_000 },
  });
  const door = currentDoor(options);
  const streamable = createStreamableHttp(modern, legacy);

  const closing = createConnectionCloser(deps.stopping);
  app.decorateRequest('admitted', null);
  app.decorateRequest('receivedAt', 0);
  app.addHook('onRequest', (request, reply, done) => {
    request.receivedAt = performance.now();
    const refused = admit(door(), request);
    if (refused === undefined) done();
    else refuse(reply, refused);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request, payload, done) => {
    readBody(payload, deps.config().limits.bodyBytes).then((body) => done(null, body), done);
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'nothing is here'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error instanceof BodyTooLarge ? 413 : (error.statusCode ?? 500);
    if (status >= 500 && !request.raw.destroyed) deps.log.error({ err: error }, 'request failed');
    // The rest of a body nobody reads must not be taken for the next request.
    if (status === 413) reply.header('connection', 'close');
    sendError(reply, status, status >= 500 ? 'internal error' : describe(status));
  });

  const onMcp = { onRequest: refuseEncoded };
  for (const path of ['/mcp', '/mcp/:name']) {
    app.post(path, onMcp, (request, reply) => {
      const body = request.body;
      if (!Buffer.isBuffer(body)) return sendError(reply, 415, describe(415));
      hand(request, reply, (exchange) => streamable.post(exchange, body));
    });
    app.get(path, (request, reply) => hand(request, reply, (exchange) => streamable.get(exchange)));
    app.delete(path, onMcp, (request, reply) => hand(request, reply, (exchange) => streamable.delete(exchange)));
  }
  for (const path of ['/sse', '/sse/:name']) {
    app.get(path, (request, reply) => hand(request, reply, (exchange) => legacy.openSse(exchange)));
  }
  app.post('/messages', onMcp, (request, reply) => {
    const body = request.body;
    if (!Buffer.isBuffer(body)) return sendError(reply, 415, describe(415));
    const json = parseGuarded(body);
    if (!json.ok) return sendError(reply, 400, json.message, json.code);
    const sessionId = new URLSearchParams(request.url.split('?')[1]).get('sessionId');
    if (sessionId === null) return sendError(reply, 400, 'sessionId is missing');
    hand(request, reply, (exchange) => legacy.postMessage(exchange, sessionId, json.value));
  });

  function hand(request: FastifyRequest, reply: FastifyReply, serve: (exchange: Exchange) => Promise<void>): void {
    const { admitted, receivedAt } = request;
    if (admitted === null) throw new Error('a route without access check');
    reply.hijack();
    closing.add(reply.raw);
    const exchange: Exchange = {
      req: request.raw,
      res: reply.raw,
      endpoint: endpointOf(request.params, deps.config()),
      principal: admitted.principal,
      clientAddress: admitted.clientAddress,
      receivedAt,
    };
    serve(exchange).catch((error: unknown) => {
      deps.log.error({ err: error }, 'an edge failed');
      if (!reply.raw.headersSent) reply.raw.writeHead(500);
      reply.raw.end();
    });
  }

  const port = await listen(app, host, options.port, '--port');
  return {
    app,
    host,
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async close() {
      // A connection that was busy when the server closed goes idle afterwards, and nobody else would end it.
      const sweep = setInterval(() => app.server.closeIdleConnections(), 50);
      try {
        await app.close();
      } finally {
        clearInterval(sweep);
      }
    },
  };
}

/** The door for the configuration in force. One that cannot be built is logged and the last good door stays. */
function currentDoor({ deps, host, developmentKey }: PublicServerOptions): () => Door {
  let config = deps.config();
  let door = createDoor(config, host, { developmentKey });
  return () => {
    const now = deps.config();
    if (now !== config) {
      config = now;
      try {
        door = createDoor(now, host, { developmentKey });
      } catch (error) {
        deps.log.error({ err: error }, 'access rules of the new configuration refused; the old ones stay');
      }
    }
    return door;
  };
}

function admit(door: Door, request: FastifyRequest): Refused | undefined {
  const address = door.approach(request.raw);
  if (typeof address !== 'string') return address;
  // A path that does not exist says so to anyone: clients look for OAuth metadata before they have a key.
  if (request.is404) return undefined;
  const admitted = door.enter(request.raw, address);
  if ('status' in admitted) return admitted;
  request.admitted = admitted;
  return undefined;
}

function refuse(reply: FastifyReply, refused: Refused): void {
  if (refused.status === 401) reply.header('www-authenticate', 'Bearer');
  sendError(reply, refused.status, refused.message);
}

/** Nothing is decompressed here, so a compression bomb stays small. */
function refuseEncoded(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') done();
  else sendError(reply, 415, 'Content-Encoding is not supported');
}

function endpointOf(params: unknown, config: Config): Endpoint {
  const name = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined;
  if (typeof name !== 'string') return everything;
  return { kind: Object.hasOwn(config.toolsets, name) ? 'toolset' : 'server', name };
}

function sendError(reply: FastifyReply, status: number, message: string, code: number = rpcCode.invalidRequest): void {
  reply.code(status).header('content-type', 'application/json').send(rpcErrorBody(null, { code, message }));
}

function describe(status: number): string {
  if (status === 413) return 'the body is larger than limits.bodyBytes';
  if (status === 415) return 'Content-Type must be application/json';
  return 'bad request';
}
