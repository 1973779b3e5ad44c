import type { OutgoingHttpHeaders } from 'node:http';
import type { TestContext } from 'node:test';
import { createParser } from 'eventsource-parser';
import type { RpcMessage } from '../helpers/rpc.ts';
import { connectTo, type HttpRequest, type Outcome, read } from './exchange.ts';

export type { Outcome } from './exchange.ts';

type Params = Readonly<Record<string, unknown>>;
type Extra = Readonly<Record<string, string>>;

/** A correct request of a conversation, for a test to spoil. */
export interface WireRequest extends HttpRequest {
  readonly body: string | Buffer;
  /** Its JSON-RPC id. */
  readonly id: string | number;
}

/** A conversation in one revision over one transport. */
export interface Talk {
  /** Of its dialect. */
  readonly name: string;
  /** A correct request. Without `id` the conversation counts its own; `headers` stand for those that it was opened with. */
  request(
    method: string,
    params?: Params,
    options?: { readonly id?: string | number; readonly headers?: Extra },
  ): WireRequest;
  /** Sends it as it is. Where the transport answers on another stream, that answer is waited for once the request was taken. */
  send(request: WireRequest): Promise<Outcome>;
  /** `send` of a `request`. Over HTTP+SSE an accepted request has status 200 here, as elsewhere. */
  ask(method: string, params?: Params, headers?: Extra): Promise<Outcome>;
  /** The session id, where the revision has one. */
  readonly session: string | undefined;
  close(): void;
}

/** One revision of MCP over one transport, as an agent of that time speaks it. */
export interface Dialect {
  readonly name: string;
  /** Path of an endpoint in this transport. */
  path(name?: string): string;
  /** The first HTTP request of an agent; a `Talk` when it was let in. */
  open(origin: string, headers: Extra, name?: string): Promise<Talk | Outcome>;
}

const clientInfo = { name: 'security-test', version: '1.0.0' };
const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const answerWithinMs = 60_000;
const streamablePath = (name?: string) => (name === undefined ? '/mcp' : `/mcp/${name}`);

/** What a conversation makes of a method: headers and params that its revision adds. */
interface Shape {
  readonly path: string;
  readonly headers: Extra;
  envelope(method: string, params: Params): { readonly headers?: Extra; readonly params: Params };
}

const plain: Shape['envelope'] = (_method, params) => ({ params });

function createRequests(shape: Shape, own: Extra): Talk['request'] {
  let count = 0;
  return (method, params = {}, { id = ++count, headers = own } = {}) => {
    const made = shape.envelope(method, params);
    return {
      path: shape.path,
      headers: { ...common, ...made.headers, ...headers, ...shape.headers } satisfies OutgoingHttpHeaders,
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: made.params }),
      id,
    };
  };
}

/** A value of a header that mirrors a name: as it is, or in the Base64 form of 2026-07-28. */
function mirrored(name: string): string {
  return /^[\x21-\x7e]+$/.test(name) ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`;
}

const modern: Dialect = {
  name: '2026-07-28',
  path: streamablePath,
  async open(origin, own, name) {
    const connections = connectTo(origin);
    const request = createRequests(
      {
        path: streamablePath(name),
        headers: {},
        envelope(method, params) {
          const target = params['name'] ?? params['uri'];
          const _meta = {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': clientInfo,
            'io.modelcontextprotocol/clientCapabilities': {},
            ...(params['_meta'] as object | undefined),
          };
          const headers = {
            'mcp-protocol-version': '2026-07-28',
            'mcp-method': method,
            ...(typeof target === 'string' && { 'mcp-name': mirrored(target) }),
          };
          return { headers, params: { ...params, _meta } };
        },
      },
      own,
    );
    const { exchange: send, close } = connections;
    const ask: Talk['ask'] = (method, params, headers = own) => send(request(method, params, { headers }));
    const first = await ask('server/discover');
    if (first.status === 200) return { name: modern.name, request, send, ask, session: undefined, close };
    close();
    return first;
  },
};

function streamable(version: string): Dialect {
  return {
    name: version,
    path: streamablePath,
    async open(origin, own, name) {
      const { exchange: send, close } = connectTo(origin);
      const path = streamablePath(name);
      const opening = createRequests({ path, headers: {}, envelope: plain }, own);
      const opened = await send(opening('initialize', { protocolVersion: version, capabilities: {}, clientInfo }));
      const session = opened.headers.get('mcp-session-id');
      if (opened.status !== 200 || session === null) {
        close();
        return opened;
      }
      const headers = { 'mcp-session-id': session, 'mcp-protocol-version': version };
      const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
      await send({ path, headers: { ...common, ...own, ...headers }, body });
      const request = createRequests({ path, headers, envelope: plain }, own);
      const ask: Talk['ask'] = (method, params, more = own) => send(request(method, params, { headers: more }));
      return { name: version, request, send, ask, session, close };
    },
  };
}

const httpSse: Dialect = {
  name: '2024-11-05 HTTP+SSE',
  path: (name) => (name === undefined ? '/sse' : `/sse/${name}`),
  async open(origin, own, name) {
    const connections = connectTo(origin);
    const opening = { path: httpSse.path(name), headers: { ...own, accept: 'text/event-stream' } };
    const stream = await connections.open({ method: 'GET', ...opening });
    if (stream.statusCode !== 200) {
      const refused = await read(stream);
      connections.close();
      return refused;
    }
    const waiting = new Map<unknown, (message: RpcMessage) => void>();
    const path = await new Promise<string>((resolve, reject) => {
      const parser = createParser({
        onEvent({ event, data }) {
          if (event === 'endpoint') return resolve(data);
          if (data === '') return;
          const message = JSON.parse(data) as RpcMessage;
          if (message.method === undefined) waiting.get(message.id)?.(message);
        },
      });
      stream.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
      stream.on('error', reject).on('close', () => reject(new Error('the event stream ended without an endpoint')));
    });
    const request = createRequests({ path, headers: {}, envelope: plain }, own);
    const send: Talk['send'] = async (asked) => {
      let late: NodeJS.Timeout | undefined;
      const answered = new Promise<RpcMessage>((resolve, reject) => {
        waiting.set(asked.id, resolve);
        late = setTimeout(() => reject(new Error(`no answer to ${asked.body}`)), answerWithinMs);
      });
      // Refused requests have no answer to wait for.
      answered.catch(() => undefined);
      try {
        const taken = await connections.exchange(asked);
        return taken.status === 202 ? { ...taken, message: await answered } : taken;
      } finally {
        clearTimeout(late);
        waiting.delete(asked.id);
      }
    };
    const ask: Talk['ask'] = async (method, params, headers = own) => {
      const outcome = await send(request(method, params, { headers }));
      return outcome.status === 202 ? { ...outcome, status: 200 } : outcome;
    };
    await ask('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo });
    const session = new URLSearchParams(path.split('?')[1]).get('sessionId') ?? undefined;
    const close = (): void => {
      stream.destroy();
      connections.close();
    };
    return { name: httpSse.name, request, send, ask, session, close };
  },
};

/** Every transport × revision that the public listener speaks. */
export const dialects: readonly Dialect[] = [
  modern,
  streamable('2025-11-25'),
  streamable('2025-06-18'),
  streamable('2025-03-26'),
  httpSse,
];

export const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

/** Opens a conversation that must be let in. */
export async function talk(dialect: Dialect, origin: string, headers: Extra, name?: string): Promise<Talk> {
  const opened = await dialect.open(origin, headers, name);
  if ('ask' in opened) return opened;
  throw new Error(`${dialect.name}: ${opened.status} ${opened.body}`);
}

/** The refusal of a conversation that must not be let in. */
export async function refusal(dialect: Dialect, origin: string, headers: Extra, name?: string): Promise<Outcome> {
  const opened = await dialect.open(origin, headers, name);
  if (!('ask' in opened)) return opened;
  opened.close();
  throw new Error(`${dialect.name} was let in`);
}

/** Runs one check over every transport × revision, each as a subtest with a conversation of its own. */
export async function onEveryTransport(
  t: TestContext,
  listener: { readonly port: number; readonly key?: string | undefined },
  check: (conversation: Talk) => Promise<void>,
): Promise<void> {
  const headers = listener.key === undefined ? {} : bearer(listener.key);
  for (const dialect of dialects) {
    await t.test(dialect.name, async () => {
      const conversation = await talk(dialect, `http://127.0.0.1:${listener.port}`, headers);
      try {
        await check(conversation);
      } finally {
        conversation.close();
      }
    });
  }
}
