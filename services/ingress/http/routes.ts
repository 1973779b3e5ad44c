import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../../shared/config/schema.ts';
import type { Door } from '../access/admit.ts';
import { metadataPath, type Reach } from '../access/oauth/resources.ts';
import type { BlockGate } from '../blocks/gate.ts';
import type { Endpoint } from '../request.ts';
import type { ConnectionCloser } from './connection-closer.ts';
import type { EdgeDeps, Exchange, LegacyEdge, ModernEdge } from './edge.ts';
import { nameIn } from './entrance.ts';
import { describeStatus, nothingHere, sendError } from './http-errors.ts';
import { parseGuarded } from './json-guard.ts';
import { BodyTooLarge, readBody } from './read-body.ts';
import { createScopeChallenge } from './scope-challenge.ts';
import type { Standing } from './standing.ts';
import { createStreamableHttp } from './streamable-http.ts';

export interface RouteOptions {
  readonly deps: EdgeDeps;
  readonly modern: ModernEdge;
  readonly legacy: LegacyEdge;
  /** The door for the configuration in force. */
  door(): Door;
  /** Absent: nobody is blocked. */
  readonly gate: BlockGate | undefined;
  readonly standing: Standing;
  readonly closing: ConnectionCloser;
}

const everything: Endpoint = { kind: 'all' };

/** Adds the paths of the public listener (CONTRACT §3), and how bodies are read. What is not listed here answers 404. */
export function addRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { deps, modern, legacy, door, gate, standing, closing } = options;
  const lacksScope = createScopeChallenge(deps, door);
  const streamable = createStreamableHttp(modern, legacy, lacksScope);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request, payload, done) => {
    readBody(payload, deps.config().limits.bodyBytes).then((body) => done(null, body), done);
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, nothingHere));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error instanceof BodyTooLarge ? 413 : (error.statusCode ?? 500);
    if (status >= 500 && !request.raw.destroyed) deps.log.error({ err: error }, 'request failed');
    // The rest of a body nobody reads must not be taken for the next request.
    if (status === 413) reply.header('connection', 'close');
    sendError(reply, status, status >= 500 ? 'internal error' : describeStatus(status));
  });

  const onMcp = { onRequest: refuseEncoded };
  for (const path of ['/mcp', '/mcp/:name']) {
    app.post(path, onMcp, (request, reply) => {
      const body = jsonOf(request, reply);
      if (body !== undefined) hand(request, reply, (exchange) => streamable.post(exchange, body));
    });
    app.get(path, (request, reply) => hand(request, reply, (exchange) => streamable.get(exchange)));
    app.delete(path, onMcp, (request, reply) => hand(request, reply, (exchange) => streamable.delete(exchange)));
  }
  for (const path of ['/sse', '/sse/:name']) {
    app.get(path, (request, reply) => hand(request, reply, (exchange) => legacy.openSse(exchange)));
  }
  for (const path of [metadataPath, `${metadataPath}/*`]) {
    app.get(path, { config: { open: true } }, (request, reply) => {
      const of = (request.url.split('?', 1)[0] ?? '').slice(metadataPath.length);
      const document = door().resources?.metadata(of);
      if (document === undefined) return sendError(reply, 404, nothingHere);
      reply.header('content-type', 'application/json').header('cache-control', 'public, max-age=60').send(document);
    });
  }
  app.post('/messages', onMcp, (request, reply) => {
    const body = jsonOf(request, reply);
    if (body === undefined) return;
    const sessionId = new URLSearchParams(request.url.split('?')[1]).get('sessionId');
    if (sessionId === null) return sendError(reply, 400, 'sessionId is missing');
    hand(request, reply, async (exchange) => {
      if (!lacksScope(exchange, body)) await legacy.postMessage(exchange, sessionId, body);
    });
  });

  /** The body as checked JSON. Undefined: it was refused, by Fastify's own way out, so that the refusal is recorded. */
  function jsonOf({ body }: FastifyRequest, reply: FastifyReply): unknown {
    if (!Buffer.isBuffer(body)) {
      sendError(reply, 415, describeStatus(415));
      return undefined;
    }
    const json = parseGuarded(body, deps.config().limits);
    if (json.ok) return json.value;
    sendError(reply, 400, json.message, json.code);
    return undefined;
  }

  /** Takes the response out of Fastify's hands and lets an edge write it. */
  function hand(request: FastifyRequest, reply: FastifyReply, serve: (exchange: Exchange) => Promise<void>): void {
    const { admitted, receivedAt } = request;
    if (admitted === null) throw new Error('a route without access check');
    reply.hijack();
    closing.add(reply.raw);
    if (request.method === 'GET') gate?.watch(admitted.principal, reply.raw);
    standing.note(admitted, request.raw, reply.raw);
    const exchange: Exchange = {
      req: request.raw,
      res: reply.raw,
      endpoint: endpointWithin(admitted.credential.reach, request.params, deps.config()),
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
}

/** Nothing is decompressed here, so a compression bomb stays small. */
function refuseEncoded(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') done();
  else sendError(reply, 415, 'Content-Encoding is not supported');
}

/** A token for one server or toolset leads to that alone, whatever the path. */
function endpointWithin(reach: Reach, params: unknown, config: Config): Endpoint {
  const name = reach === 'all' ? nameIn(params) : reach.name;
  if (name === undefined) return everything;
  return { kind: Object.hasOwn(config.toolsets, name) ? 'toolset' : 'server', name };
}
