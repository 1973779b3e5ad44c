import type { Logger } from 'pino';
import type { ServerConfig } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { EraCache } from './era-verdict.ts';
import type { Upstream, UpstreamEvents } from './upstream.ts';

export interface OpenUpstreamOptions {
  /** Configured name of the server. */
  readonly name: string;
  readonly config: ServerConfig;
  /** The URL of this instance, where the config has several. Default: the first. */
  readonly url?: string | undefined;
  /** The worker's own environment, from which a child inherits a short safe list. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly events: UpstreamEvents;
  readonly eraCache?: EraCache | undefined;
  /** How toolbus names itself to servers: `name` and `version`. */
  readonly gateway: JsonObject;
}

/**
 * Starts one upstream server, or the conversation with one that runs elsewhere. Resolves at once; everything that follows is told
 * through `events`, never before. Only the code of the transport at hand is loaded: a worker of a stdio server starts without the
 * HTTP client. Throws `OperatorError` for a config that names no server.
 */
export async function openUpstream(
  options: Omit<OpenUpstreamOptions, 'gateway'> & { gateway?: JsonObject },
): Promise<Upstream> {
  const full: OpenUpstreamOptions = { ...options, gateway: options.gateway ?? { name: 'toolbus', version: '0.0.0' } };
  const { config, name } = options;
  if (config.command !== undefined && config.type !== 'http' && config.type !== 'sse') {
    const { openStdioUpstream } = await import('./stdio-upstream.ts');
    return openStdioUpstream(full);
  }
  const url = options.url ?? (Array.isArray(config.url) ? config.url[0] : config.url);
  if (url === undefined) throw new OperatorError(exitCode.usage, `server ${name} has neither command nor url`);
  const { openHttpUpstream } = await import('./http-upstream.ts');
  return openHttpUpstream(full, url);
}
