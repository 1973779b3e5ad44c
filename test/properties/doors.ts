import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { modern, openLegacySession, type RpcMessage } from '../helpers/rpc.ts';

/** One way to speak to the gateway: a transport and a revision. */
export interface Door extends AsyncDisposable {
  readonly name: string;
  readonly revision: string;
  /** One request, and the response to it. */
  request(method: string, params: object): Promise<RpcMessage>;
}

export const legacyRevisions = ['2025-11-25', '2025-06-18', '2025-03-26'] as const;

/** Every transport with every revision that it carries. */
export async function openDoors(mcp: string, key: string): Promise<Door[]> {
  return [
    modernDoor(mcp, key),
    ...(await Promise.all(legacyRevisions.map((revision) => sessionDoor(mcp, key, revision)))),
    await sseDoor(mcp, key),
  ];
}

function modernDoor(mcp: string, key: string): Door {
  return {
    name: 'Streamable HTTP 2026-07-28',
    revision: '2026-07-28',
    async request(method, params) {
      const { _meta: meta = {} } = params as { _meta?: Record<string, unknown> };
      return responseOf(await modern(mcp, method, { ...params }, { key, meta }));
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function sessionDoor(mcp: string, key: string, version: string): Promise<Door> {
  const session = await openLegacySession(mcp, { key, version });
  return {
    name: `Streamable HTTP ${version}`,
    revision: version,
    request: async (method, params) => responseOf(await session.request(method, params)),
    async [Symbol.asyncDispose]() {
      await session.close();
    },
  };
}

async function sseDoor(mcp: string, key: string): Promise<Door> {
  const headers = { authorization: `Bearer ${key}` };
  const transport = new SSEClientTransport(new URL(mcp.replace('/mcp', '/sse')), {
    requestInit: { headers },
    eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } }) },
  });
  const waiting = new Map<unknown, (message: RpcMessage) => void>();
  transport.onmessage = (message: JSONRPCMessage) => {
    if ('id' in message && !('method' in message)) waiting.get(message.id)?.(message as RpcMessage);
  };
  await transport.start();
  let lastId = 0;
  const request = (method: string, params: object): Promise<RpcMessage> => {
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, resolve);
      transport.send({ jsonrpc: '2.0', id, method, params: { ...params } }).catch(reject);
    });
  };
  const clientInfo = { name: 'properties', version: '1' };
  await request('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo });
  await transport.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return {
    name: 'HTTP+SSE 2024-11-05',
    revision: '2024-11-05',
    request,
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

function responseOf({ response, status, text }: { response?: RpcMessage; status: number; text: string }): RpcMessage {
  if (response === undefined) throw new Error(`no response: HTTP ${status} ${text}`);
  return response;
}
