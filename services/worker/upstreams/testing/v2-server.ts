/** A server on SDK v2 for the contract suite: `stdio`, `http` (both eras) or `http-modern`, on a free port of 127.0.0.1, which it prints. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const extraTools = new Set<string>();
let cancelled = 0;
let announce: (server: Server) => void = (server) => void server.sendToolListChanged();

function createMcp(): Server {
  const server = new Server(
    { name: 'v2', version: '2.0.0' },
    {
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
      instructions: 'be kind',
    },
  );
  server.setRequestHandler('tools/list', () => ({
    tools: [
      ...['echo', 'progress', 'slow', 'cancelled', 'ask', 'grow', 'die', ...extraTools].map((name) => ({
        name,
        inputSchema: { type: 'object' as const },
        'x-unknown': { kept: true },
      })),
      {
        name: 'mirrored',
        inputSchema: { type: 'object' as const, properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
      },
      {
        name: 'misannotated',
        inputSchema: { type: 'object' as const, properties: { region: { type: 'object', 'x-mcp-header': 'Region' } } },
      },
    ],
  }));
  server.setRequestHandler('tools/call', async ({ params }, ctx) => {
    const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
    switch (params.name) {
      case 'echo':
        return {
          ...text(JSON.stringify(params.arguments ?? {})),
          'x-unknown': [1, { deep: null }],
          _meta: { vendor: 'kept' },
        };
      case 'mirrored':
        return text('ok');
      case 'progress': {
        const progressToken = ctx.mcpReq._meta?.progressToken;
        for (let progress = 1; progressToken !== undefined && progress <= 3; progress += 1) {
          await ctx.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 3, message: `step ${progress}` },
          });
        }
        return text(progressToken === undefined ? 'quiet' : 'done');
      }
      case 'slow':
        await new Promise((resolve) => ctx.mcpReq.signal.addEventListener('abort', resolve));
        cancelled += 1;
        return text('never seen');
      case 'cancelled':
        return text(String(cancelled));
      case 'ask': {
        const answer = ctx.mcpReq.inputResponses?.['name'];
        if (answer !== undefined) return text(JSON.stringify(answer));
        const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } };
        return {
          resultType: 'input_required' as const,
          requestState: 'state ü "1"',
          inputRequests: {
            name: {
              method: 'elicitation/create' as const,
              params: { mode: 'form' as const, message: 'Your name?', requestedSchema },
            },
          },
        };
      }
      case 'grow':
        extraTools.add('grown');
        announce(server);
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

const mode = process.argv[2];
if (mode === 'stdio') {
  serveStdio(createMcp);
} else {
  const handler = createMcpHandler(createMcp, { legacy: mode === 'http-modern' ? 'reject' : 'stateless' });
  announce = () => handler.notify.toolsChanged();
  const serve = toNodeHandler(handler);
  const http = createServer((request, response) => void serve(request as Parameters<typeof serve>[0], response));
  http.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
  });
}
