import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { createParser } from 'eventsource-parser';
import type { JsonObject } from '../../../../../shared/mcp/json.ts';
import { open } from '../../testing/raw-http.ts';
import type { TestIngress } from './two-ingresses.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The JSON body; undefined for any other. */
  readonly json: JsonObject | undefined;
}

export const bothTypes = 'application/json, text/event-stream';

/** One POST by hand; headers given as undefined are left out. */
export async function post(
  ingress: TestIngress,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
  path = '/mcp',
): Promise<RawAnswer> {
  return whole(await start(ingress, 'POST', path, headers, JSON.stringify(body)));
}

/** GET or DELETE by hand, of which the whole body is awaited. */
export async function ask(
  ingress: TestIngress,
  method: 'GET' | 'DELETE',
  headers: OutgoingHttpHeaders = {},
): Promise<RawAnswer> {
  return whole(await start(ingress, method, '/mcp', headers));
}

export interface EventStream {
  readonly status: number;
  /** Events so far: the data as JSON where it is JSON. Those without data are left out. */
  readonly events: unknown[];
  /** Id of the newest event that had one. */
  readonly lastEventId: string | undefined;
  /** Resolves with the first event, past or future, that matches. */
  next(matches: (event: unknown) => boolean): Promise<JsonObject>;
  readonly ended: Promise<void>;
  drop(): void;
}

/** Opens an event stream by hand, with GET or, given a body, with POST. */
export async function stream(
  ingress: TestIngress,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: unknown,
): Promise<EventStream> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const res = await start(ingress, body === undefined ? 'GET' : 'POST', path, headers, text);
  const events: unknown[] = [];
  const waiting = new Set<() => void>();
  let lastEventId: string | undefined;
  const parser = createParser({
    onEvent({ data, id }) {
      lastEventId = id ?? lastEventId;
      if (data === '') return;
      events.push(data.startsWith('{') ? JSON.parse(data) : data);
      for (const look of [...waiting]) look();
    },
  });
  res.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
  return {
    status: res.statusCode ?? 0,
    events,
    get lastEventId() {
      return lastEventId;
    },
    next: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const found = events.find(matches);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found as JsonObject);
        };
        waiting.add(look);
        look();
      }),
    ended: new Promise((resolve) => res.once('close', resolve)),
    drop: () => res.destroy(),
  };
}

async function start(
  { port }: TestIngress,
  method: string,
  path: string,
  given: OutgoingHttpHeaders,
  body?: string,
): Promise<IncomingMessage> {
  const headers: OutgoingHttpHeaders = {
    accept: bothTypes,
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...given,
  };
  for (const [name, value] of Object.entries(headers)) if (value === undefined) delete headers[name];
  const { res } = await open({ port, method, path, headers, body });
  return res;
}

async function whole(res: IncomingMessage): Promise<RawAnswer> {
  const body = await text(res);
  const isJson = res.headers['content-type'] === 'application/json';
  return {
    status: res.statusCode ?? 0,
    headers: res.headers,
    text: body,
    json: isJson ? JSON.parse(body) : undefined,
  };
}

export interface RawSession {
  readonly id: string;
  /** Headers of a later request. */
  readonly headers: OutgoingHttpHeaders;
}

export interface OpenOptions {
  readonly version?: string;
  readonly capabilities?: JsonObject;
  readonly agent?: string;
  readonly path?: string;
}

/** `initialize` by hand. */
export async function openSession(ingress: TestIngress, options: OpenOptions = {}): Promise<RawSession> {
  const { version = '2025-11-25', capabilities = {}, agent, path } = options;
  const authorization = agent === undefined ? {} : { authorization: `Bearer ${agent}` };
  const params = { protocolVersion: version, capabilities, clientInfo: { name: 'raw', version: '1' } };
  const answer = await post(ingress, request(0, 'initialize', params), authorization, path);
  const id = String(answer.headers['mcp-session-id']);
  return { id, headers: { ...authorization, 'mcp-session-id': id, 'mcp-protocol-version': version } };
}

export function request(id: string | number, method: string, params?: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id, method, ...(params && { params }) };
}

export function notification(method: string, params?: JsonObject): JsonObject {
  return { jsonrpc: '2.0', method, ...(params && { params }) };
}
