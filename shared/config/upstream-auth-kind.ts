import type { UpstreamAuth } from './schema/upstream-auth.ts';
import type { ServerConfig } from './schema.ts';

/** How a worker shows its server who it is, without what it shows. A stdio server has its environment and no more: `none`. */
export type UpstreamAuthKind = 'none' | 'headers' | UpstreamAuth['type'];

export function upstreamAuthKind(server: Pick<ServerConfig, 'auth' | 'headers' | 'url'>): UpstreamAuthKind {
  if (server.url === undefined) return 'none';
  return server.auth?.type ?? (Object.keys(server.headers).length > 0 ? 'headers' : 'none');
}
