import type { ServerConfig } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import { askDiscover, namesOurRevision, readDiscover, undiscovered } from './discover.ts';
import type { EraVerdict } from './era-verdict.ts';
import type { HttpClient } from './http-client.ts';
import { statusOf } from './http-refusal.ts';
import { initialize } from './legacy-session.ts';
import { limits } from './limits.ts';
import { Peer } from './peer.ts';
import type { Introduction } from './session.ts';
import { openSse } from './sse-connection.ts';
import { openStreamableHttp } from './streamable-http.ts';

export interface HttpProbeOptions {
  readonly client: HttpClient;
  readonly config: Pick<ServerConfig, 'era' | 'type'>;
  readonly gateway: JsonObject;
  readonly onStray: (count: number) => void;
  /** An earlier verdict, to save the question for the second era. */
  readonly verdict?: EraVerdict | undefined;
}

/** A peer that has been asked for its introduction. */
export interface Introduced {
  readonly peer: Peer;
  readonly introduction: Introduction;
}

export interface HttpFindings {
  readonly transport: 'http' | 'sse';
  /** The preferred era first. */
  readonly eras: readonly Era[];
  readonly modern?: Introduced | undefined;
  /** Open only where the server has no modern era; else it is opened at the first call that needs it. */
  readonly legacy?: Introduced | undefined;
}

/**
 * Finds out how a server at a URL wants to be spoken to: 2026-07-28 first, then `initialize`, then the GET of 2024-11-05
 * (specification 2026-07-28, basic/transports/streamable-http, "Backward Compatibility"). Rejects with a GatewayError when the server
 * cannot be reached or refuses us: that is no evidence of an era.
 */
export async function probeHttp(options: HttpProbeOptions): Promise<HttpFindings> {
  const { config, verdict } = options;
  if (config.type === 'sse') return viaSse(options);
  const modern = config.era === 'legacy' ? undefined : await tryModern(options);
  if (modern !== undefined) {
    const legacyToo =
      config.era === 'auto' &&
      (verdict?.eras.includes('modern') ? verdict.eras.includes('legacy') : await hasLegacy(options));
    return { transport: 'http', eras: legacyToo ? ['modern', 'legacy'] : ['modern'], modern };
  }
  if (config.era === 'modern') {
    throw new GatewayError(
      'bad_upstream_output',
      'the upstream server does not speak 2026-07-28, which the config demands',
    );
  }
  try {
    return { transport: 'http', eras: ['legacy'], legacy: await openLegacyHttp(options) };
  } catch (error) {
    const status = statusOf(error);
    const old = status === 400 || status === 404 || status === 405 || isRefusedInitialize(error);
    if (!old || config.type !== undefined) throw error;
    // When that fails too, what the newer transport said is the better explanation.
    return viaSse(options).catch(() => Promise.reject(error));
  }
}

/** Opens a legacy session over Streamable HTTP. Rejects with a GatewayError. */
export async function openLegacyHttp(options: HttpProbeOptions): Promise<Introduced> {
  const peer = new Peer(options.onStray);
  peer.attach(openStreamableHttp({ client: options.client, receiver: peer, era: 'legacy' }));
  return introduce(peer, options.gateway);
}

async function viaSse({ client, gateway, onStray }: HttpProbeOptions): Promise<HttpFindings> {
  const peer = new Peer(onStray);
  peer.attach(await openSse(client, peer, timeoutSignal(limits.httpHandshakeMs)));
  return { transport: 'sse', eras: ['legacy'], legacy: await introduce(peer, gateway) };
}

function timeoutSignal(ms: number): AbortSignal {
  const controller = new AbortController();
  const late = new GatewayError('upstream_timeout', 'the upstream server did not open its stream in time');
  setTimeout(() => controller.abort(late), ms).unref();
  return controller.signal;
}

async function introduce(peer: Peer, gateway: JsonObject): Promise<Introduced> {
  try {
    const answer = await initialize(peer, gateway, limits.httpHandshakeMs);
    if ('protocolVersion' in answer) return { peer, introduction: answer };
    throw new RefusedInitialize();
  } catch (error) {
    void peer.close();
    if (!(error instanceof RefusedInitialize)) throw error;
    throw new GatewayError('bad_upstream_output', 'the upstream server refused initialize', { cause: error });
  }
}

async function tryModern({ client, config, gateway, onStray }: HttpProbeOptions): Promise<Introduced | undefined> {
  const peer = new Peer(onStray);
  peer.attach(openStreamableHttp({ client, receiver: peer, era: 'modern' }));
  try {
    const first = await askDiscover(peer, gateway, limits.httpHandshakeMs);
    // A server that names our revision among its own is asked once more: its refusal is of the modern era (basic/versioning).
    const outcome = namesOurRevision(first) ? await askDiscover(peer, gateway, limits.httpHandshakeMs) : first;
    const introduction = readDiscover(outcome);
    if (introduction !== undefined) return { peer, introduction };
    const unknown = 'error' in outcome && outcome.error.code === rpcCode.methodNotFound;
    if (unknown && config.era === 'modern') return { peer, introduction: undiscovered };
  } catch (error) {
    if (!isEraEvidence(error)) {
      void peer.close();
      throw error;
    }
  }
  void peer.close();
  return undefined;
}

async function hasLegacy(options: HttpProbeOptions): Promise<boolean> {
  try {
    const { peer } = await openLegacyHttp(options);
    void peer.close();
    return true;
  } catch {
    return false;
  }
}

/** 401, 403, 5xx, timeouts and broken connections say nothing about the era. */
function isEraEvidence(error: unknown): boolean {
  if (!(error instanceof GatewayError) || error.reason !== 'bad_upstream_output') return false;
  const status = statusOf(error);
  return status === undefined || (status < 500 && status !== 401 && status !== 403);
}

class RefusedInitialize extends Error {
  override readonly name = 'RefusedInitialize';
}

function isRefusedInitialize(error: unknown): boolean {
  return error instanceof GatewayError && error.cause instanceof RefusedInitialize;
}
