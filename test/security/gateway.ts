import { createServer, type IncomingHttpHeaders, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { type Level, pino } from 'pino';
import { type Ingress, startIngress } from '../../services/ingress/main.ts';
import { startWorker } from '../../services/worker/main.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { type Config, configSchema } from '../../shared/config/schema.ts';
import { startNats, type TestNats } from '../helpers/nats.ts';
import { until } from '../helpers/until.ts';

/** An MCP server of both eras on 127.0.0.1 with two tools, that writes down the headers of every request. */
export interface RecordingUpstream extends AsyncDisposable {
  readonly url: string;
  readonly headers: IncomingHttpHeaders[];
}

/** `admit` may answer a request itself and return false. */
export async function startRecordingUpstream(
  admit: (req: IncomingMessage) => { readonly status: number; readonly challenge?: string } | undefined = () =>
    undefined,
): Promise<RecordingUpstream> {
  const headers: IncomingHttpHeaders[] = [];
  // The types of the adapter and of exactOptionalPropertyTypes do not meet.
  const handler = toNodeHandler(createMcpHandler(noteServer)) as RequestListener;
  const http = createServer((req, res) => {
    headers.push(req.headers);
    const refused = admit(req);
    if (refused === undefined) return void handler(req, res);
    res.writeHead(refused.status, refused.challenge === undefined ? {} : { 'www-authenticate': refused.challenge });
    res.end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    headers,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function noteServer(): Server {
  const server = new Server({ name: 'notes', version: '1.0.0' }, { capabilities: { tools: {} } });
  const inputSchema = { type: 'object' as const };
  server.setRequestHandler('tools/list', () => ({
    tools: ['read_note', 'delete_note', 'secret_note'].map((name) => ({ name, inputSchema })),
  }));
  server.setRequestHandler('tools/call', ({ params }) => ({
    content: [{ type: 'text' as const, text: `did ${params.name}` }],
  }));
  return server;
}

/** A toolbus in this process: nats-server, one ingress, a worker for each server. It keeps an audit where a data directory is given. */
export interface Gateway extends AsyncDisposable {
  readonly ingress: Ingress;
  readonly nats: TestNats;
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly port: number;
  /** All that was logged, one JSON line each. */
  readonly logs: string[];
  /** All that crossed NATS, subjects and payloads. */
  readonly traffic: string[];
  reload(config: object): void;
}

export interface GatewayOptions {
  readonly developmentKey?: string;
  readonly dataDir?: string;
}

export async function startGateway(config: object, options: GatewayOptions = {}): Promise<Gateway> {
  const { developmentKey, dataDir } = options;
  const parsed = parse(config);
  const logs: string[] = [];
  const log = pino({ level: 'trace' satisfies Level }, sink(logs));
  const nats = await startNats();
  const bus = { url: nats.url };
  const wire = await connectBus({ ...bus, name: 'listening test', log: pino({ level: 'silent' }) });
  const traffic: string[] = [];
  wire.subscribe('>', { callback: (_error, message) => void traffic.push(message.subject + message.string()) });
  const servers = Object.entries(parsed.servers);
  const common = { host: '127.0.0.1', port: 0, adminHost: '127.0.0.1', adminPort: 0, dataDir };
  const ingress = await startIngress({ ...common, config: parsed, bus, tenant: 'default', developmentKey, log });
  const workers = await Promise.all(
    servers.map(([server, own]) => {
      const callKeys = Promise.resolve(ingress.core.callKeysOf(server));
      return startWorker({ server, config: own, bus, tenant: 'default', callKeys, log });
    }),
  );
  const outcomes = await Promise.all(workers.map(({ settled }) => settled));
  const up = servers.filter((_, index) => 'tools' in (outcomes[index] ?? {})).map(([server]) => server);
  const { catalog } = ingress.core;
  await until('the ingress knows the servers', () =>
    up.every((server) => catalog.manifest(server) && catalog.instances(server).some(({ state }) => state === 'ready')),
  );
  const { origin, port } = new URL(ingress.mcp);
  return {
    ingress,
    nats,
    origin,
    port: Number(port),
    logs,
    traffic,
    reload: (next) => ingress.reload(parse(next)),
    async [Symbol.asyncDispose]() {
      await ingress.close(500);
      await Promise.all(workers.map((worker) => worker.close(500)));
      await wire.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

function parse(config: object): Config {
  return configSchema.parse(config);
}

function sink(lines: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
}
