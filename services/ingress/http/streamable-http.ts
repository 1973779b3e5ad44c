import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import { rpcErrorBody, sendJson } from './answers.ts';
import { classify, namesModern } from './classify.ts';
import type { Exchange, LegacyEdge, ModernEdge } from './edge.ts';
import { echoableId } from './json-rpc-shape.ts';

/** `/mcp` and `/mcp/NAME`: one URL for all revisions. */
export interface StreamableHttp {
  /** `body` is checked JSON. */
  post(exchange: Exchange, body: unknown): Promise<void>;
  get(exchange: Exchange): Promise<void>;
  delete(exchange: Exchange): Promise<void>;
}

/** Tells the eras apart and hands each request to the edge that speaks it. `refused` answers what its agent needs more scope for. */
export function createStreamableHttp(
  modern: ModernEdge,
  legacy: LegacyEdge,
  refused: (exchange: Exchange, body: unknown) => boolean = () => false,
): StreamableHttp {
  return {
    async post(exchange, body) {
      const classified = classify(body, versionHeader(exchange));
      if (classified.era === 'invalid') {
        const message = `Invalid request: ${classified.why}`;
        const error = { code: rpcCode.invalidRequest, message };
        sendJson(exchange.res, 400, rpcErrorBody(echoableId(body), error));
        return;
      }
      if (refused(exchange, body)) return;
      await (classified.era === 'modern' ? modern : legacy).post(exchange, body);
    },
    async get(exchange) {
      if (refuseModern(exchange)) return;
      await legacy.get(exchange);
    },
    async delete(exchange) {
      if (refuseModern(exchange)) return;
      await legacy.delete(exchange);
    },
  };
}

/** 2026-07-28 has POST only (basic/transports/streamable-http, "Earlier revisions"). */
function refuseModern(exchange: Exchange): boolean {
  if (!namesModern(versionHeader(exchange))) return false;
  const error = { code: rpcCode.invalidRequest, message: 'Method not allowed: this revision has POST only' };
  sendJson(exchange.res, 405, rpcErrorBody(null, error), { allow: 'POST' });
  return true;
}

function versionHeader(exchange: Exchange): string | undefined {
  const value = exchange.req.headers[mcpHeader.protocolVersion];
  return typeof value === 'string' ? value.trim() : undefined;
}
