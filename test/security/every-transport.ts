import type { OutgoingHttpHeaders } from 'node:http';
import type { TestContext } from 'node:test';
import { createParser } from 'eventsource-parser';
import { modern, open, type RawResponse, send } from '../../services/ingress/http/testing/raw-http.ts';
import type { RpcMessage } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

/** One HTTP request as bytes, for a test to spoil. */
export interface WireRequest {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string | Buffer;
}

/** What came back: the HTTP response to the request and, over whatever stream, the JSON-RPC message that answers it. */
export interface WireAnswer extends RawResponse {
  readonly message: RpcMessage | undefined;
}

/** One revision of MCP over one transport, with the conversation opened as far as it needs to be. */
export interface Wire {
  readonly name: string;
  /** A correct request. `id` is the JSON-RPC id; each wire counts its own without it. */
  request(method: string, params?: Readonly<Record<string, unknown>>, id?: string | number): WireRequest;
  /** Sends it as it is. Where the transport answers on another stream, `message` is what came there for the last `request`. */
  send(request: WireRequest): Promise<WireAnswer>;
}

export interface Listener {
  readonly port: number;
  /** The agent's API key; none where nobody is asked for one. */
  readonly key?: string | undefined;
}

interface Opened extends Wire {
  close(): void;
}

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const clientInfo = { name: 'every-transport', version: '1.0.0' };

/** Revisions and transports by the names that subtests get. */
const wires: ReadonlyMap<string, (listener: Listener) => Promise<Opened>> = new Map([
  ['2026-07-28', openModern],
  ['2025-11-25', (listener: Listener) => openSession(listener, '2025-11-25')],
  ['2025-06-18', (listener: Listener) => openSession(listener, '2025-06-18')],
  ['2025-03-26', (listener: Listener) => openSession(listener, '2025-03-26')],
  ['2024-11-05 HTTP+SSE', openSse],
]);

/** Runs one check over every transport × revision of the public listener, each as a subtest with a conversation of its own. */
export async function onEveryTransport(
  t: TestContext,
  listener: Listener,
  check: (wire: Wire) => Promise<void>,
): Promise<void> {
  for (const [name, openWire] of wires) {
    await t.test(name, async () => {
      const wire = await openWire(listener);
      try {
        await check(wire);
      } finally {
        wire.close();
      }
    });
  }
}

function authorizationOf({ key }: Listener): OutgoingHttpHeaders {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

function messageIn({ headers, body }: RawResponse): RpcMessage | undefined {
  const type = headers['content-type'] ?? '';
  if (type.startsWith('application/json') && body !== '') return JSON.parse(body) as RpcMessage;
  if (!type.startsWith('text/event-stream')) return undefined;
  const messages: RpcMessage[] = [];
  createParser({ onEvent: ({ data }) => data !== '' && messages.push(JSON.parse(data) as RpcMessage) }).feed(body);
  return messages.at(-1);
}

async function openModern(listener: Listener): Promise<Opened> {
  let count = 0;
  return {
    name: '2026-07-28',
    request(method, params = {}, id) {
      count += 1;
      const { headers, body } = modern(method, { id: id ?? count, params, headers: authorizationOf(listener) });
      return { path: '/mcp', headers, body };
    },
    async send(request) {
      const answer = await send({ port: listener.port, ...request });
      return { ...answer, message: messageIn(answer) };
    },
    close() {},
  };
}

async function openSession(listener: Listener, version: string): Promise<Opened> {
  const common: OutgoingHttpHeaders = { ...json, ...authorizationOf(listener) };
  const sent = async (request: WireRequest): Promise<WireAnswer> => {
    const answer = await send({ port: listener.port, ...request });
    return { ...answer, message: messageIn(answer) };
  };
  const params = { protocolVersion: version, capabilities: {}, clientInfo };
  const first = { jsonrpc: '2.0', id: 0, method: 'initialize', params };
  const opened = await sent({ path: '/mcp', headers: common, body: JSON.stringify(first) });
  const session = opened.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`initialize ${version}: ${opened.status} ${opened.body}`);
  const headers = { ...common, 'mcp-session-id': session, 'mcp-protocol-version': version };
  let count = 0;
  return {
    name: version,
    request(method, asked = {}, id) {
      count += 1;
      return {
        path: '/mcp',
        headers,
        body: JSON.stringify({ jsonrpc: '2.0', id: id ?? count, method, params: asked }),
      };
    },
    send: sent,
    close() {},
  };
}

async function openSse(listener: Listener): Promise<Opened> {
  const { port } = listener;
  const authorization = authorizationOf(listener);
  const accept = { accept: 'text/event-stream', ...authorization };
  const { req, res } = await open({ port, method: 'GET', path: '/sse', headers: accept });
  if (res.statusCode !== 200) throw new Error(`GET /sse: ${res.statusCode}`);
  const messages: RpcMessage[] = [];
  let endpoint = '';
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === 'endpoint') endpoint = data;
      else if (data !== '') messages.push(JSON.parse(data) as RpcMessage);
    },
  });
  res.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
  res.on('error', () => undefined);
  await until('the endpoint event', () => endpoint !== '');
  const headers: OutgoingHttpHeaders = { ...json, ...authorization };
  let count = 0;
  let lastId: string | number = 0;
  const wire: Opened = {
    name: '2024-11-05 HTTP+SSE',
    request(method, params = {}, id) {
      count += 1;
      lastId = id ?? count;
      return { path: endpoint, headers, body: JSON.stringify({ jsonrpc: '2.0', id: lastId, method, params }) };
    },
    async send(request) {
      const wanted = lastId;
      const before = messages.length;
      const answer = await send({ port, ...request });
      if (answer.status !== 202) return { ...answer, message: messageIn(answer) };
      const message = await until('the answer on the stream', () =>
        messages.slice(before).find(({ id }) => id === wanted),
      );
      return { ...answer, message };
    },
    close: () => req.destroy(),
  };
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo };
  await wire.send(wire.request('initialize', params));
  return wire;
}
