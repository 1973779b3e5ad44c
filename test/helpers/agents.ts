import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

export interface CallOptions {
  readonly signal?: AbortSignal;
  onProgress?(progress: number): void;
}

/** A connected agent, whatever library it is made of. */
export interface Agent {
  tools(): Promise<string[]>;
  call(
    name: string,
    args?: Record<string, unknown>,
    options?: CallOptions,
  ): Promise<{ text: string; isError: boolean }>;
  prompts(): Promise<string[]>;
  read(uri: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How the agents answer questions: an elicited form with this content, a sample with this text. */
export const answers = { content: { username: 'ada', email: 'ada@example.com' }, sample: 'sampled' };

const info = { name: 'test-agent', version: '1.0.0' };
const capabilities = { elicitation: {}, sampling: {}, roots: {} };
const elicited = { action: 'accept' as const, content: answers.content };
const sampled = {
  role: 'assistant' as const,
  content: { type: 'text' as const, text: answers.sample },
  model: 'test-model',
};

interface ToolResult {
  readonly content?: ReadonlyArray<{ readonly text?: string }>;
  readonly isError?: boolean;
}

function simplify(result: object): { text: string; isError: boolean } {
  const { content = [], isError = false } = result as ToolResult;
  return { text: content.map((block) => block.text ?? '').join(''), isError };
}

/**
 * Progress as it comes from the wire. The clients hand it on a microtask later and drop it when the answer is there by then, so whether their own
 * callback sees the last one depends on how the network cut its packets.
 */
interface Tapped {
  onmessage?: ((message: never, extra?: never) => void) | undefined;
}

function tapProgress(transport: Tapped): { listener: ((progress: number) => void) | undefined } {
  const tap: { listener: ((progress: number) => void) | undefined } = { listener: undefined };
  const inner = transport.onmessage;
  transport.onmessage = (message: { method?: string; params?: { progress?: number } }, extra?: never) => {
    if (message.method === 'notifications/progress') tap.listener?.(message.params?.progress ?? Number.NaN);
    inner?.(message as never, extra);
  };
  return tap;
}

/** A client of SDK v1 on any transport. */
export async function openV1(transport: Transport): Promise<Agent> {
  const client = new ClientV1(info, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, () => elicited);
  client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
  await client.connect(transport);
  const tap = tapProgress(transport);
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    read: async (uri) => JSON.stringify((await client.readResource({ uri })).contents),
    call: async (name, args = {}, { signal, onProgress } = {}) => {
      tap.listener = onProgress;
      const options = { ...(signal && { signal }), ...(onProgress && { onprogress: () => undefined }) };
      return simplify(await client.callTool({ name, arguments: args }, undefined, options));
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function openV2(url: URL, key: string | undefined, mode: Negotiation): Promise<Agent> {
  return openV2On(new HttpV2(url, { requestInit: withKey(key) }), mode);
}

export type Negotiation = 'legacy' | 'auto' | { pin: string };

/** A client of SDK v2 on any transport. */
export async function openV2On(transport: Parameters<ClientV2['connect']>[0], mode: Negotiation): Promise<Agent> {
  const client = new ClientV2(info, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler('elicitation/create', () => elicited);
  client.setRequestHandler('sampling/createMessage', () => sampled);
  await client.connect(transport);
  const tap = tapProgress(transport);
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    read: async (uri) => JSON.stringify((await client.readResource({ uri })).contents),
    call: async (name, args = {}, { signal, onProgress } = {}) => {
      tap.listener = onProgress;
      const options = { ...(signal && { signal }), ...(onProgress && { onprogress: () => undefined }) };
      return simplify(await client.callTool({ name, arguments: args }, options));
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const withKey = (key: string | undefined): RequestInit =>
  key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } };

/** Opens an agent at an endpoint such as `http://127.0.0.1:8080/mcp/NAME`. */
export type OpenAgent = (mcp: string, key?: string) => Promise<Agent>;

/** The clients that agents are really made of. */
export const agents: ReadonlyArray<{ readonly name: string; readonly open: OpenAgent }> = [
  {
    name: 'SDK v1',
    open: (mcp, key) => openV1(new HttpV1(new URL(mcp), { requestInit: withKey(key) }) as Transport),
  },
  {
    name: 'SDK v1 over HTTP+SSE',
    open: (mcp, key) =>
      openV1(
        new SSEClientTransport(new URL(mcp.replace('/mcp', '/sse')), {
          requestInit: withKey(key),
          eventSourceInit: {
            fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headersOf(key) } }),
          },
        }),
      ),
  },
  { name: 'SDK v2 legacy', open: (mcp, key) => openV2(new URL(mcp), key, 'legacy') },
  { name: 'SDK v2 auto', open: (mcp, key) => openV2(new URL(mcp), key, 'auto') },
  { name: 'SDK v2 pinned', open: (mcp, key) => openV2(new URL(mcp), key, { pin: '2026-07-28' }) },
];

const headersOf = (key: string | undefined): Record<string, string> =>
  key === undefined ? {} : { authorization: `Bearer ${key}` };
