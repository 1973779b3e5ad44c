import { createParser } from 'eventsource-parser';
import { post, type RpcAnswer, type RpcMessage } from '../helpers/rpc.ts';
import { until } from '../helpers/until.ts';

/** What an HTTP request came to: its status and head, and the JSON-RPC answer where there was one, on whatever stream. */
export interface Outcome {
  readonly status: number;
  readonly headers: Headers;
  readonly message?: RpcMessage | undefined;
}

/** A conversation in one revision over one transport. */
export interface Talk {
  /** One request, with other headers than the first where a test gives some. */
  ask(method: string, params?: object, headers?: Readonly<Record<string, string>>): Promise<Outcome>;
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
  open(origin: string, headers: Readonly<Record<string, string>>, name?: string): Promise<Talk | Outcome>;
}

const info = { name: 'security-test', version: '1.0.0' };
const streamablePath = (name?: string) => (name === undefined ? '/mcp' : `/mcp/${name}`);

function outcome({ status, headers, response }: RpcAnswer): Outcome {
  return { status, headers, message: response };
}

const modern: Dialect = {
  name: '2026-07-28',
  path: streamablePath,
  async open(origin, headers, name) {
    const ask: Talk['ask'] = async (method, params = {}, more = headers) => {
      const target = (params as { name?: unknown }).name;
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': info,
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const all = {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof target === 'string' && { 'mcp-name': target }),
        ...more,
      };
      const body = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } };
      return outcome(await post(origin + streamablePath(name), body, { headers: all }));
    };
    const first = await ask('server/discover');
    return first.status === 200 ? { ask, session: undefined, close() {} } : first;
  },
};

function streamable(version: string): Dialect {
  return {
    name: version,
    path: streamablePath,
    async open(origin, headers, name) {
      const url = origin + streamablePath(name);
      const params = { protocolVersion: version, capabilities: {}, clientInfo: info };
      const opened = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, { headers });
      const session = opened.headers.get('mcp-session-id');
      if (opened.status !== 200 || session === null) return outcome(opened);
      const own = { 'mcp-session-id': session, 'mcp-protocol-version': version };
      await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, { headers: { ...headers, ...own } });
      let id = 0;
      return {
        session,
        async ask(method, asked = {}, more = headers) {
          id += 1;
          const body = { jsonrpc: '2.0', id, method, params: asked };
          return outcome(await post(url, body, { headers: { ...more, ...own } }));
        },
        close() {},
      };
    },
  };
}

const httpSse: Dialect = {
  name: '2024-11-05 HTTP+SSE',
  path: (name) => (name === undefined ? '/sse' : `/sse/${name}`),
  async open(origin, headers, name) {
    const url = origin + httpSse.path(name);
    const ended = new AbortController();
    const stream = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: ended.signal });
    if (stream.status !== 200) {
      const text = await stream.text();
      const message = text.startsWith('{') ? (JSON.parse(text) as RpcMessage) : undefined;
      return { status: stream.status, headers: stream.headers, message };
    }
    const messages: RpcMessage[] = [];
    let endpoint = '';
    void (async () => {
      const parser = createParser({
        onEvent: ({ event, data }) => {
          if (event === 'endpoint') endpoint = data;
          else messages.push(JSON.parse(data) as RpcMessage);
        },
      });
      const decoder = new TextDecoder();
      for await (const chunk of stream.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
    })().catch(() => undefined);
    await until('the endpoint event', () => endpoint !== '');
    let id = 0;
    const send = async (method: string, params: object, more: Readonly<Record<string, string>>): Promise<Outcome> => {
      id += 1;
      const mine = id;
      const sent = await post(origin + endpoint, { jsonrpc: '2.0', id: mine, method, params }, { headers: more });
      if (sent.status !== 202) return outcome(sent);
      const message = await until('the answer on the stream', () => messages.find((one) => one.id === mine));
      return { status: 200, headers: sent.headers, message };
    };
    await send('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: info }, headers);
    return {
      session: new URLSearchParams(endpoint.split('?')[1]).get('sessionId') ?? undefined,
      ask: (method, params = {}, more = headers) => send(method, params, more),
      close: () => ended.abort(),
    };
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
export async function talk(
  dialect: Dialect,
  origin: string,
  headers: Readonly<Record<string, string>>,
  name?: string,
): Promise<Talk> {
  const opened = await dialect.open(origin, headers, name);
  if ('ask' in opened) return opened;
  throw new Error(`${dialect.name}: ${opened.status} ${JSON.stringify(opened.message)}`);
}

/** The refusal of a conversation that must not be let in. */
export async function refusal(
  dialect: Dialect,
  origin: string,
  headers: Readonly<Record<string, string>>,
  name?: string,
): Promise<Outcome> {
  const opened = await dialect.open(origin, headers, name);
  if (!('ask' in opened)) return opened;
  opened.close();
  throw new Error(`${dialect.name} was let in`);
}
