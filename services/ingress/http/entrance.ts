import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../shared/errors.ts';
import type { Admitted, Door } from '../access/admit.ts';
import type { Refused } from '../access/refused.ts';
import type { BlockGate } from '../blocks/gate.ts';
import type { DoorLimits } from '../limits/door-limits.ts';
import { gatewayErrorBody, gatewayErrorHeaders } from './answers.ts';
import { createCallIds } from './call-id.ts';
import type { Cors } from './cors.ts';
import { messageIn, sendError } from './http-errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook; absent on paths that do not exist. */
    admitted: Admitted | null;
    /** The agent's, after trusted proxies; empty where it may not even be asked who it is. */
    clientAddress: string;
    receivedAt: number;
  }
  interface FastifyContextConfig {
    /** Asks nobody who they are. */
    open?: boolean;
  }
}

export interface EntranceOptions {
  /** The door for the configuration in force. */
  door(): Door;
  readonly limits: DoorLimits;
  readonly cors: Cors;
  /** Absent: nobody is blocked. */
  readonly gate: BlockGate | undefined;
  /** Told of everybody who is turned away before an edge has read the request. `message` is what they were told. */
  readonly onRefused?: ((address: string, status: number, message: string) => void) | undefined;
}

/** Puts the checks before every route of the public listener: who may come in, from where, and how often. They run before a body is read. */
export function addEntrance(app: FastifyInstance, { door, limits, cors, gate, onRefused }: EntranceOptions): void {
  const nextCallId = createCallIds();
  app.decorateRequest('admitted', null);
  app.decorateRequest('clientAddress', '');
  app.decorateRequest('receivedAt', 0);
  app.addHook('onRequest', (request, reply, done) => {
    request.receivedAt = performance.now();
    const verdict = judge(door(), request, limits);
    cors.allow(request.raw, reply.raw);
    if (verdict instanceof Promise) verdict.then((refused) => decide(request, reply, refused, done), done);
    else decide(request, reply, verdict, done);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const refused = request.admitted && gate?.refusal(request.admitted.principal);
    if (refused) sendError(reply, 403, refused);
    else done();
  });
  // What an edge answers is not sent by Fastify: here are refusals alone, and documents.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode >= 400) {
      const address = request.clientAddress || (request.socket.remoteAddress ?? '');
      onRefused?.(address, reply.statusCode, messageIn(payload));
    }
    done(null, payload);
  });

  function decide(
    request: FastifyRequest,
    reply: FastifyReply,
    verdict: Admitted | Refused | GatewayError | undefined,
    done: () => void,
  ): void {
    const outcome = verdict && withinLimits(verdict, request.clientAddress);
    if (outcome instanceof GatewayError) {
      reply.code(outcome.status).headers(gatewayErrorHeaders(outcome)).header('content-type', 'application/json');
      reply.send(gatewayErrorBody(null, outcome, nextCallId()));
    } else if (outcome !== undefined && 'status' in outcome) {
      refuse(reply, outcome);
    } else if (request.is404 && cors.preflight(request.raw, reply.raw)) {
      reply.hijack();
    } else {
      request.admitted = outcome ?? null;
      done();
    }
  }

  /** The same, or the error where a limit refuses the request. */
  function withinLimits<Verdict extends Admitted | Refused | GatewayError>(
    verdict: Verdict,
    address: string,
  ): Verdict | GatewayError {
    if (verdict instanceof GatewayError) return verdict;
    if ('principal' in verdict) return limits.entered(verdict.principal, address) ?? verdict;
    return (verdict.status === 401 ? limits.failed(address) : undefined) ?? verdict;
  }
}

/** Undefined where nobody is asked. */
function judge(
  door: Door,
  request: FastifyRequest,
  limits: DoorLimits,
): Admitted | Refused | GatewayError | undefined | Promise<Admitted | Refused> {
  const address = door.approach(request.raw);
  if (typeof address !== 'string') return address;
  request.clientAddress = address;
  // A path that does not exist says so to anyone: clients look for OAuth metadata before they have a key.
  if (request.is404 || request.routeOptions.config.open === true) return undefined;
  return limits.beforeLooking(address) ?? door.enter(request.raw, address, pathOf(request));
}

function refuse(reply: FastifyReply, { status, message, challenge }: Refused): void {
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  sendError(reply, status, message);
}

/** The path of the route with its name as it was meant, however it was spelt. */
function pathOf({ routeOptions, params }: FastifyRequest): string {
  return (routeOptions.url ?? '').replace(':name', () => nameIn(params) ?? '');
}

/** The `:name` of a route. */
export function nameIn(params: unknown): string | undefined {
  const name = typeof params === 'object' && params !== null && 'name' in params ? params.name : undefined;
  return typeof name === 'string' ? name : undefined;
}
