import { catalogJson } from './catalog.ts';
import type { Handle, Respond } from './http.ts';

interface Request {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly protocolVersion?: string;
    readonly arguments?: { readonly text?: string; readonly bytes?: number; readonly ms?: number };
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

const versionKey = 'io.modelcontextprotocol/protocolVersion';
const serverInfo = { name: 'bench-upstream', version: '1.0.0' };
const instructions = 'A benchmark upstream: it trusts its clients and forgets them.';

/**
 * An MCP server without sessions that answers in JSON only, in both eras: 2026-07-28 when the request says so in its
 * `_meta`, else as 2025-11-25. It checks nothing; what it is asked is written by the benchmark.
 */
export function mcpHandler(toolCount: number): Handle {
  const tools = catalogJson(toolCount);
  const blobs = new Map<number, string>();
  const blob = (bytes: number): string => {
    const known = blobs.get(bytes) ?? blobText(bytes);
    blobs.set(bytes, known);
    return known;
  };

  return (httpMethod, body, respond) => {
    if (httpMethod !== 'POST') {
      respond({ status: 405, body: '' });
      return;
    }
    const request: Request = JSON.parse(body.toString('utf8'));
    if (request.id === undefined) {
      respond({ status: 202, body: '' });
      return;
    }
    const modern = request.params?._meta?.[versionKey] !== undefined;
    if (request.method === 'tools/call') {
      callTool(request, modern, blob, respond);
      return;
    }
    const members = membersOf(request, modern, tools);
    if (members !== undefined) respond({ status: 200, body: resultText(request, modern, members) });
    else respond({ status: modern ? 404 : 200, body: errorText(request, -32601, 'Method not found') });
  };
}

/** The members of the result, as JSON text; undefined for an unknown method. */
function membersOf(request: Request, modern: boolean, tools: string): string | undefined {
  switch (request.method) {
    case 'tools/list':
      return `"tools":${tools}${modern ? ',"ttlMs":60000,"cacheScope":"public"' : ''}`;
    case 'initialize': {
      const protocolVersion = request.params?.protocolVersion ?? '2025-11-25';
      return textOfMembers({ protocolVersion, capabilities: { tools: {} }, serverInfo, instructions });
    }
    case 'server/discover': {
      if (!modern) return undefined;
      const _meta = { 'io.modelcontextprotocol/serverInfo': serverInfo };
      const supportedVersions = ['2026-07-28'];
      const caching = { ttlMs: 60_000, cacheScope: 'public' };
      return textOfMembers({ supportedVersions, capabilities: { tools: {} }, instructions, ...caching, _meta });
    }
    case 'ping':
      return '';
    default:
      return undefined;
  }
}

/** The text that the tool `blob` answers with; the load generator compares every byte. */
export function blobText(bytes: number): string {
  return '0123456789abcdef'.repeat(Math.ceil(bytes / 16)).slice(0, bytes);
}

function callTool(request: Request, modern: boolean, blob: (bytes: number) => string, respond: Respond): void {
  const given = request.params?.arguments ?? {};
  const text = (value: string) => {
    const members = `"content":[{"type":"text","text":${JSON.stringify(value)}}]`;
    respond({ status: 200, body: resultText(request, modern, members) });
  };

  switch (request.params?.name) {
    case 'echo':
      text(given.text ?? '');
      break;
    case 'blob':
      text(blob(given.bytes ?? 0));
      break;
    case 'sleep':
      setTimeout(() => text(given.text ?? ''), given.ms ?? 0);
      break;
    default:
      respond({ status: modern ? 400 : 200, body: errorText(request, -32602, 'Unknown tool') });
  }
}

function textOfMembers(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}

function resultText(request: Request, modern: boolean, members: string): string {
  const all = [modern ? '"resultType":"complete"' : '', members].filter((part) => part !== '').join(',');
  return `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":{${all}}}`;
}

function errorText(request: Request, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id: request.id, error: { code, message } });
}
