import { createParser } from 'eventsource-parser';

export interface RpcMessage {
  readonly jsonrpc?: string;
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: Readonly<Record<string, unknown>>;
  };
}

export interface RpcAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The response to the request; absent for 202 and for answers that are not JSON-RPC. */
  readonly response?: RpcMessage;
  /** What came before the response. */
  readonly before: readonly RpcMessage[];
  readonly text: string;
}

export interface PostOptions {
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Sees each message of a stream as it comes. */
  onMessage?(message: RpcMessage): void;
}

/** POSTs a body as it is and reads the whole answer, JSON or event stream. */
export async function post(url: string, body: unknown, options: PostOptions = {}): Promise<RpcAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
      ...options.headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const messages: RpcMessage[] = [];
  const take = (message: RpcMessage): void => {
    messages.push(message);
    options.onMessage?.(message);
  };
  const text = await readMessages(response, take);
  const { status, headers } = response;
  const last = messages.at(-1);
  const isResponse = last !== undefined && last.method === undefined;
  return {
    status,
    headers,
    text,
    before: isResponse ? messages.slice(0, -1) : messages,
    ...(isResponse ? { response: last } : {}),
  };
}

/** Reads JSON or an event stream to its end; returns the text of what was neither. */
export async function readMessages(response: Response, take: (message: RpcMessage) => void): Promise<string> {
  const type = response.headers.get('content-type') ?? '';
  if (!type.includes('text/event-stream')) {
    const text = await response.text();
    if (type.includes('application/json') && text !== '') take(JSON.parse(text) as RpcMessage);
    return text;
  }
  const parser = createParser({ onEvent: ({ data }) => data !== '' && take(JSON.parse(data) as RpcMessage) });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  return '';
}

export const modernVersion = '2026-07-28';

export interface ModernOptions extends PostOptions {
  readonly id?: string | number;
  readonly capabilities?: object;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** One request of 2026-07-28, with its envelope and its standard headers. */
export function modern(
  url: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  options: ModernOptions = {},
): Promise<RpcAnswer> {
  const name = params['name'] ?? params['uri'];
  const body = {
    jsonrpc: '2.0',
    id: options.id ?? 1,
    method,
    params: {
      ...params,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': modernVersion,
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
        'io.modelcontextprotocol/clientCapabilities': options.capabilities ?? {},
        ...options.meta,
      },
    },
  };
  const headers = {
    'mcp-protocol-version': modernVersion,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    ...options.headers,
  };
  return post(url, body, { ...options, headers });
}

/** Calls a tool the modern way. */
export function callTool(
  url: string,
  name: string,
  args: object = {},
  options: ModernOptions = {},
): Promise<RpcAnswer> {
  return modern(url, 'tools/call', { name, arguments: args }, options);
}

/** The first text of a tool's result. */
export function textOf(answer: RpcAnswer): string {
  const content = answer.response?.result?.['content'] as ReadonlyArray<{ readonly text?: string }> | undefined;
  return content?.[0]?.text ?? '';
}

export interface LegacySession {
  readonly id: string;
  readonly result: Readonly<Record<string, unknown>>;
  request(
    method: string,
    params?: object,
    options?: PostOptions & { readonly id?: string | number },
  ): Promise<RpcAnswer>;
  notify(method: string, params?: object): Promise<RpcAnswer>;
  post(body: unknown, options?: PostOptions): Promise<RpcAnswer>;
  close(): Promise<number>;
}

/** Opens a session of 2025-11-25 or before. */
export async function openLegacySession(
  url: string,
  options: { readonly key?: string | undefined; readonly version?: string; readonly capabilities?: object } = {},
): Promise<LegacySession> {
  const version = options.version ?? '2025-11-25';
  const params = {
    protocolVersion: version,
    capabilities: options.capabilities ?? {},
    clientInfo: { name: 'test', version: '1.0.0' },
  };
  const opened = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, { key: options.key });
  const id = opened.headers.get('mcp-session-id');
  if (!id || !opened.response?.result) throw new Error(`initialize failed: ${opened.status} ${opened.text}`);
  const common = { 'mcp-session-id': id, 'mcp-protocol-version': version };
  const send = (body: unknown, extra: PostOptions = {}): Promise<RpcAnswer> =>
    post(url, body, { key: options.key, ...extra, headers: { ...common, ...extra.headers } });
  await send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  let next = 1;
  return {
    id,
    result: opened.response.result,
    post: send,
    request: (method, requestParams = {}, extra = {}) =>
      send({ jsonrpc: '2.0', id: extra.id ?? next++, method, params: requestParams }, extra),
    notify: (method, notifyParams = {}) => send({ jsonrpc: '2.0', method, params: notifyParams }),
    async close() {
      const headers = options.key === undefined ? common : { ...common, authorization: `Bearer ${options.key}` };
      return (await fetch(url, { method: 'DELETE', headers })).status;
    },
  };
}
