import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../../../shared/config/schema.ts';

const methods = 'GET, POST, PUT, DELETE';
const exposed =
  'Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Server-Timing, Retry-After, Location, Content-Length';
/** Seconds that a browser may remember a preflight; it ends the time that a removed origin goes on. */
const maxAgeS = '600';

/** Headers that pages may send; any other makes the browser refuse. */
const sendable = new Set([
  'accept',
  'authorization',
  'baggage',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'traceparent',
  'tracestate',
]);
const maxRequested = 64;

/**
 * CORS for the origins of `access.allowedOrigins` (Fetch standard, "CORS protocol"). It is closed for all others, those on this machine
 * included, and cookies are never meant: agents show who they are in a header that only their own code knows.
 */
export interface Cors {
  /** Adds what lets a page of an allowed origin read the answer. */
  allow(req: IncomingMessage, res: ServerResponse): void;
  /** Answers a preflight; false when the request is none. */
  preflight(req: IncomingMessage, res: ServerResponse): boolean;
}

export function createCors(access: () => Config['access']): Cors {
  const permitted = ({ headers: { origin } }: IncomingMessage): string | undefined => {
    const { allowedOrigins } = access();
    if (origin === undefined || allowedOrigins.length === 0) return undefined;
    const known = origin.toLowerCase();
    return allowedOrigins.some((one) => one.toLowerCase().replace(/\/$/, '') === known) ? origin : undefined;
  };

  return {
    allow(req, res) {
      const origin = permitted(req);
      if (origin === undefined) return;
      res.setHeader('access-control-allow-origin', origin);
      res.setHeader('access-control-expose-headers', exposed);
      res.setHeader('vary', 'Origin');
    },
    preflight(req, res) {
      if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return false;
      if (permitted(req) === undefined) return false;
      const requested = req.headers['access-control-request-headers'] ?? '';
      const names = requested.split(',', maxRequested).map((name) => name.trim().toLowerCase());
      res.setHeader('access-control-allow-methods', methods);
      res.setHeader('access-control-allow-headers', names.filter(isSendable).join(', '));
      res.setHeader('access-control-max-age', maxAgeS);
      res.setHeader('vary', 'Origin, Access-Control-Request-Headers');
      res.writeHead(204);
      res.end();
      return true;
    },
  };
}

function isSendable(name: string): boolean {
  return sendable.has(name) || /^mcp-param-[a-z0-9-]{1,64}$/.test(name);
}
