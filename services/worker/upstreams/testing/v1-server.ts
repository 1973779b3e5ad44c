/** A server on SDK v1 for the contract suite: `stdio`, or `http` and `sse` on a free port of 127.0.0.1, which it prints. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CallToolRequestSchema,
  ElicitResultSchema,
  ListToolsRequestSchema,
  SubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

const extraTools = new Set<string>();
let cancelled = 0;

function createMcp(): Server {
  const server = new Server(
    { name: 'v1', version: '1.0.0' },
    {
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
      instructions: 'be kind',
    },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ['echo', 'progress', 'slow', 'cancelled', 'ask', 'grow', 'die', ...extraTools].map((name) => ({
      name,
      inputSchema: { type: 'object' as const },
      'x-unknown': { kept: true },
    })),
  }));
  server.setRequestHandler(SubscribeRequestSchema, async ({ params }) => {
    setTimeout(() => void server.sendResourceUpdated({ uri: params.uri }), 10);
    return {};
  });
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
    switch (params.name) {
      case 'echo':
        return {
          ...text(JSON.stringify(params.arguments ?? {})),
          'x-unknown': [1, { deep: null }],
          _meta: { vendor: 'kept' },
        };
      case 'progress': {
        const progressToken = extra._meta?.progressToken;
        for (let progress = 1; progressToken !== undefined && progress <= 3; progress += 1) {
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 3, message: `step ${progress}` },
          });
        }
        return text(progressToken === undefined ? 'quiet' : 'done');
      }
      case 'slow':
        await new Promise((resolve) => extra.signal.addEventListener('abort', resolve));
        cancelled += 1;
        return text('never seen');
      case 'cancelled':
        return text(String(cancelled));
      case 'ask': {
        const answer = await extra.sendRequest(
          {
            method: 'elicitation/create',
            params: {
              message: 'Your name?',
              requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
            },
          },
          ElicitResultSchema,
        );
        return text(`${answer.action} ${JSON.stringify(answer.content ?? null)}`);
      }
      case 'grow':
        extraTools.add('grown');
        await server.sendToolListChanged();
        return text('grown');
      case 'die':
        process.exit(3);
        return text('dead');
      default:
        throw new Error('unknown tool');
    }
  });
  return server;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

const mode = process.argv[2];
if (mode === 'stdio') {
  await createMcp().connect(new StdioServerTransport());
} else {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const streams = new Map<string, SSEServerTransport>();
  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (mode === 'sse') {
      if (request.method === 'GET' && url.pathname === '/sse') {
        const transport = new SSEServerTransport('/messages', response);
        streams.set(transport.sessionId, transport);
        await createMcp().connect(transport);
      } else if (request.method === 'POST' && url.pathname === '/messages') {
        await streams.get(url.searchParams.get('sessionId') ?? '')?.handlePostMessage(request, response);
      } else {
        response.writeHead(404).end('not here');
      }
      return;
    }
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? sessions.get(id) : undefined;
    if (typeof id === 'string' && transport === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (session) => void sessions.set(session, created),
        onsessionclosed: (session) => void sessions.delete(session),
      });
      transport = created;
      // The declared types of SDK v1 do not agree with themselves under exactOptionalPropertyTypes.
      await createMcp().connect(transport as Parameters<Server['connect']>[0]);
    }
    const body = request.method === 'POST' ? await readBody(request) : undefined;
    await transport.handleRequest(request, response, body);
  });
  http.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
    const { port } = http.address() as AddressInfo;
    console.log(`http://127.0.0.1:${port}/${mode === 'sse' ? 'sse' : 'mcp'}`);
  });
}
