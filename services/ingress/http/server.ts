import type { Server } from 'node:http';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
} from 'fastify';
import type { Config } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { type Admitted, createDoor, type Door } from '../access/admit.ts';
import { createKeysOfIssuers } from '../access/oauth/key-store.ts';
import { metadataPath, type Reach } from '../access/oauth/resources.ts';
import type { Refused } from '../access/refused.ts';
import { createStepUp } from '../access/step-up.ts';
import type { Blocks } from '../blocks/blocks.ts';
import { createBlockGate } from '../blocks/gate.ts';
import { createDoorLimits, type DoorLimits } from '../limits/door-limits.ts';
import type { Endpoint } from '../request.ts';
import { gatewayErrorBody, gatewayErrorHeaders, rpcErrorBody, sendJson } from './answers.ts';
import { createCallIds } from './call-id.ts';
import { createConnectionCloser } from './connection-closer.ts';
import { createCors } from './cors.ts';
import type { EdgeDeps, Exchange, LegacyEdge, ModernEdge } from './edge.ts';
import { parseGuarded } from './json-guard.ts';
import { echoableId } from './json-rpc-shape.ts';
import { listen } from './listen.ts';
import { BodyTooLarge, readBody } from './read-body.ts';
import { createStanding } from './standing.ts';
import { createStreamableHttp } from './streamable-http.ts';
import { openCertificate } from './tls.ts';
import { followUnusedConnections } from './unused-connections.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook; absent on paths that do not exist. */
    admitted: Admitted | null;
    /** The agent's, after trusted proxies; empty where it may not even be asked who it is. */
    clientAddress: string;
    receivedAt: number;
  }
  interface FastifyContextConfig {
    /** Asks nobody who they are. */
    open?: boolean;
  }
}

export interface PublicServerOptions {
  readonly deps: EdgeDeps;
  readonly modern: ModernEdge;
  readonly legacy: LegacyEdge;
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  /** See createAuthenticator. */
  readonly developmentKey?: string | undefined;
  /** The kill switch; absent: nobody is blocked. */
  readonly blocks?: Blocks | undefined;
  /** Told of everybody who is turned away before an edge has read the request. `message` is what they were told. */
  readonly onRefused?: ((address: string, status: number, message: string) => void) | undefined;
  /** Shared with the metrics; absent: made from the configuration. */
  readonly doorLimits?: DoorLimits | undefined;
  /** Shortened by tests that cause slow agents. Milliseconds. */
  readonly timeouts?: { readonly requestMs: number; readonly headersMs: number };
}

export interface PublicServer {
  readonly app: FastifyInstance;
  readonly host: string;
  readonly port: number;
  /** `http://host:port` or `https://host:port`, an IPv6 host in brackets. */
  readonly url: string;
  /** The configuration in force is another one: streams of those who may not stay are ended, TLS files are looked at. */
  configChanged(): void;
  /** Stops listening and waits for open answers; streams must have been ended before (`deps.stopping`). */
  close(): Promise<void>;
}

const everything: Endpoint = { kind: 'all' };
const nothingHere = 'nothing is here';
/** Longer than the idle time of usual pools and proxies (60 s), so that they close first and lose no request. */
const keepAliveMs = 75_000;

/**
 * Starts the public listener (CONTRACT §3). Throws an OperatorError where the configuration cannot be served on this address.
 * What is not listed here answers 404; every path that exists asks for authentication, but for the metadata of mode oauth.
 */
export async function createPublicServer(options: PublicServerOptions): Promise<PublicServer> {
  const { deps, modern, legacy, host } = options;
  const timeouts = options.timeouts ?? { requestMs: 30_000, headersMs: 10_000 };
  const { tls, limits: bounds } = deps.config();
  let url = '';
  const door = createCurrentDoor(options, () => url);
  const certificate = tls && openCertificate(tls, deps.log);
  const serverFactory: FastifyServerFactory<Server> | undefined =
    certificate &&
    ((handler) => certificate.server(handler, { ...timeouts, keepAliveMs, maxHeaderSize: bounds.headerBytes }));
  const app: FastifyInstance = fastify({
    logger: false,
    // Ours answers `shutting_down` with its reason; Fastify's 503 has none.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: keepAliveMs,
    http: {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: bounds.headerBytes,
    },
    ...(serverFactory && { serverFactory }),
  });
  app.server.maxConnections = bounds.connections;
  app.server.maxRequestsPerSocket = bounds.requestsPerConnection;
  const cors = createCors(() => deps.config().access);
  const standing = createStanding();
  const stepUp = createStepUp(deps);
  const streamable = createStreamableHttp(modern, legacy, () => deps.config().limits, lacksScope);

  const closing = createConnectionCloser(deps.stopping);
  app.decorateRequest('admitted', null);
  app.decorateRequest('clientAddress', '');
  app.decorateRequest('receivedAt', 0);
  const limits = options.doorLimits ?? createDoorLimits(() => deps.config());
  const nextCallId = createCallIds();
  app.addHook('onRequest', (request, reply, done) => {
    request.receivedAt = performance.now();
    const verdict = admit(door(), request, limits);
    cors.allow(request.raw, reply.raw);
    if (verdict instanceof Promise) verdict.then((refused) => decide(request, reply, refused, done), done);
    else decide(request, reply, verdict, done);
  });
  const gate = options.blocks && createBlockGate(options.blocks);
  app.addHook('onRequest', (request, reply, done) => {
    const refused = request.admitted && gate?.refusal(request.admitted.principal);
    if (refused) sendError(reply, 403, refused);
    else done();
  });
  // What an edge answers is not sent by Fastify: here are refusals alone, and documents.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode >= 400) {
      const address = request.clientAddress || (request.socket.remoteAddress ?? '');
      options.onRefused?.(address, reply.statusCode, messageIn(payload));
    }
    done(null, payload);
  });
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
  for (const path of [metadataPath, `${metadataPath}/*`]) {
    app.get(path, { config: { open: true } }, (request, reply) => {
      const of = (request.url.split('?', 1)[0] ?? '').slice(metadataPath.length);
      const document = door().resources?.metadata(of);
      if (document === undefined) return sendError(reply, 404, nothingHere);
      reply.header('content-type', 'application/json').header('cache-control', 'public, max-age=60').send(document);
    });
  }
  app.post('/messages', onMcp, (request, reply) => {
    const body = request.body;
    if (!Buffer.isBuffer(body)) return sendError(reply, 415, describe(415));
    const json = parseGuarded(body, deps.config().limits);
    if (!json.ok) return sendError(reply, 400, json.message, json.code);
    const sessionId = new URLSearchParams(request.url.split('?')[1]).get('sessionId');
    if (sessionId === null) return sendError(reply, 400, 'sessionId is missing');
    hand(request, reply, async (exchange) => {
      if (!lacksScope(exchange, json.value)) await legacy.postMessage(exchange, sessionId, json.value);
    });
  });

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

  function decide(
    request: FastifyRequest,
    reply: FastifyReply,
    verdict: Admitted | Refused | GatewayError | undefined,
    done: () => void,
  ): void {
    const outcome = verdict && withinLimits(verdict, request.clientAddress);
    if (outcome instanceof GatewayError) {
      reply.code(outcome.status).headers(gatewayErrorHeaders(outcome)).header('content-type', 'application/json');
      reply.send(gatewayErrorBody(null, outcome, nextCallId()));
    } else if (outcome !== undefined && 'status' in outcome) {
      refuse(reply, outcome);
    } else if (request.is404 && cors.preflight(request.raw, reply.raw)) {
      reply.hijack();
    } else {
      request.admitted = outcome ?? null;
      done();
    }
  }

  /** The same, or the error where a limit refuses the request. */
  function withinLimits<Verdict extends Admitted | Refused | GatewayError>(
    verdict: Verdict,
    address: string,
  ): Verdict | GatewayError {
    if (verdict instanceof GatewayError) return verdict;
    if ('principal' in verdict) return limits.entered(verdict.principal, address) ?? verdict;
    return (verdict.status === 401 ? limits.failed(address) : undefined) ?? verdict;
  }

  /** Answers 403 where more scope would help (specification 2026-07-28, basic/authorization, "Scope Challenge Handling"). */
  function lacksScope({ req, res, endpoint, principal }: Exchange, body: unknown): boolean {
    const scope = stepUp(principal, endpoint, body);
    const { resources } = door();
    if (scope === undefined || resources === undefined) return false;
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    const challenge = resources.challenge(path, { error: 'insufficient_scope', scope });
    const message = `the token lacks a scope: ${scope}`;
    const answer = rpcErrorBody(echoableId(body), { code: rpcCode.invalidRequest, message });
    sendJson(res, 403, answer, { 'www-authenticate': challenge });
    return true;
  }

  const unused = followUnusedConnections(app.server);
  const port = await listen(app, host, options.port, '--port');
  url = `${certificate ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    app,
    host,
    port,
    url,
    configChanged() {
      const now = door();
      standing.review((admitted) => now.holds(admitted));
      const files = deps.config().tls;
      if ((files === undefined) !== (certificate === undefined)) {
        deps.log.warn('tls was added or removed: the listener changes when toolbus starts the next time');
      } else if (files !== undefined) certificate?.use(files);
    },
    async close() {
      standing.close();
      certificate?.close();
      // A connection that was busy when the server closed goes idle afterwards, and nobody else would end it.
      const sweep = setInterval(() => {
        app.server.closeIdleConnections();
        unused.destroy();
      }, 50);
      try {
        await app.close();
      } finally {
        clearInterval(sweep);
        gate?.close();
      }
    },
  };
}

/** The door for the configuration in force. One that cannot be built is logged and the last good door stays. */
function createCurrentDoor({ deps, host, developmentKey }: PublicServerOptions, origin: () => string): () => Door {
  const options = { developmentKey, oauth: { origin, keys: createKeysOfIssuers(deps.log) } };
  let config = deps.config();
  let door = createDoor(config, host, options);
  return () => {
    const now = deps.config();
    if (now !== config) {
      config = now;
      try {
        door = createDoor(now, host, options);
      } catch (error) {
        deps.log.error({ err: error }, 'access rules of the new configuration refused; the old ones stay');
      }
    }
    return door;
  };
}

/** Undefined where nobody is asked. */
function admit(
  door: Door,
  request: FastifyRequest,
  limits: DoorLimits,
): Admitted | Refused | GatewayError | undefined | Promise<Admitted | Refused> {
  const address = door.approach(request.raw);
  if (typeof address !== 'string') return address;
  request.clientAddress = address;
  // A path that does not exist says so to anyone: clients look for OAuth metadata before they have a key.
  if (request.is404 || request.routeOptions.config.open === true) return undefined;
  return limits.beforeLooking(address) ?? door.enter(request.raw, address, pathOf(request));
}

function refuse(reply: FastifyReply, { status, message, challenge }: Refused): void {
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  sendError(reply, status, message);
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

/** The path of the route with its name as it was meant, however it was spelt. */
function pathOf({ routeOptions, params }: FastifyRequest): string {
  return (routeOptions.url ?? '').replace(':name', () => nameIn(params) ?? '');
}

function nameIn(params: unknown): string | undefined {
  const name = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function sendError(reply: FastifyReply, status: number, message: string, code: number = rpcCode.invalidRequest): void {
  reply.code(status).header('content-type', 'application/json').send(rpcErrorBody(null, { code, message }));
}

/** The message in an answer that `sendError` made. */
function messageIn(payload: unknown): string {
  return typeof payload === 'string' ? (/"message":"((?:[^"\\]|\\.)*)"/.exec(payload)?.[1] ?? '') : '';
}

function describe(status: number): string {
  if (status === 413) return 'the body is larger than limits.bodyBytes';
  if (status === 415) return 'Content-Type must be application/json';
  return 'bad request';
}
