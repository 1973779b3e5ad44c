import type { Server } from 'node:http';
import fastify, { type FastifyInstance, type FastifyServerFactory } from 'fastify';
import { createCurrentDoor } from '../access/current-door.ts';
import type { Blocks } from '../blocks/blocks.ts';
import { createBlockGate } from '../blocks/gate.ts';
import { createDoorLimits, type DoorLimits } from '../limits/door-limits.ts';
import { createConnectionCloser } from './connection-closer.ts';
import { createCors } from './cors.ts';
import type { EdgeDeps, LegacyEdge, ModernEdge } from './edge.ts';
import { addEntrance, type EntranceOptions } from './entrance.ts';
import { listen } from './listen.ts';
import { addRoutes } from './routes.ts';
import { createStanding } from './standing.ts';
import { type Certificate, openCertificate } from './tls.ts';
import { followUnusedConnections } from './unused-connections.ts';

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
  /** See EntranceOptions. */
  readonly onRefused?: EntranceOptions['onRefused'];
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

/** Longer than the idle time of usual pools and proxies (60 s), so that they close first and lose no request. */
const keepAliveMs = 75_000;
const usualTimeouts = { requestMs: 30_000, headersMs: 10_000 };

/**
 * Starts the public listener (CONTRACT §3). Throws an OperatorError where the configuration cannot be served on this address.
 * Every path that exists asks for authentication, but for the metadata of mode oauth.
 */
export async function createPublicServer(options: PublicServerOptions): Promise<PublicServer> {
  const { deps, modern, legacy, host, developmentKey, onRefused } = options;
  const { config, log } = deps;
  const { tls } = config();
  let url = '';
  const door = createCurrentDoor({ config, host, origin: () => url, developmentKey, log });
  const certificate = tls && openCertificate(tls, log);
  const app = createApp(options, certificate);
  const gate = options.blocks && createBlockGate(options.blocks);
  const standing = createStanding();
  const closing = createConnectionCloser(deps.stopping);
  const limits = options.doorLimits ?? createDoorLimits(config);
  addEntrance(app, { door, limits, cors: createCors(() => config().access), gate, onRefused });
  addRoutes(app, { deps, modern, legacy, door, gate, standing, closing });

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
      const files = config().tls;
      if ((files === undefined) !== (certificate === undefined)) {
        log.warn('tls was added or removed: the listener changes when toolbus starts the next time');
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

/** Fastify with the bounds of the listener, which hold until the process ends, and nothing of its own that agents would see. */
function createApp(
  { deps, timeouts = usualTimeouts }: PublicServerOptions,
  certificate: Certificate | undefined,
): FastifyInstance {
  const { limits: bounds } = deps.config();
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
  return app;
}
