import { ready } from '../child.ts';
import { serveHttp } from './http.ts';
import { mcpHandler } from './mcp.ts';

/** A process: one MCP server with as many tools as the first argument says, on a free port of 127.0.0.1. */
const server = serveHttp(mcpHandler(Number(process.argv[2] ?? 4)));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') ready({ port: address.port });
});
