import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Sealer } from '../../../shared/seal.ts';
import { digestOf } from './digest.ts';

/**
 * What an agent carries between a question and its answer (`requestState`, 2026-07-28, basic/patterns/mrtr), so that any
 * ingress can go on: where the question came from, and the upstream's own state, byte for byte.
 */
export interface RequestState {
  readonly server: string;
  readonly instance: string;
  /** The call held open in that worker process. */
  readonly park?: string | undefined;
  /** The upstream's own `requestState`; absent when it gave none. */
  readonly state?: string | undefined;
}

/** The request that a state belongs to. `params` are in the server's own names. */
export interface StatedRequest {
  readonly principal: string;
  readonly method: string;
  readonly server: string;
  readonly params: JsonObject;
}

const purpose = 'request-state';
/** A held call keeps an upstream waiting; a state of the upstream's own has a life of its own, this is the cap. */
const heldMs = 10 * 60_000;
const statedMs = 60 * 60_000;

/** The text for the agent. `now` is in epoch milliseconds. */
export function sealRequestState(sealer: Sealer, request: StatedRequest, state: RequestState, now: number): string {
  const payload = {
    server: state.server,
    instance: state.instance,
    park: state.park,
    state: state.state,
    exp: now + (state.park === undefined ? statedMs : heldMs),
  };
  return sealer.seal(purpose, payload, boundTo(request));
}

/** Undefined when the text is not ours, was changed, has expired, or belongs to another principal, method or params. */
export function openRequestState(
  sealer: Sealer,
  request: StatedRequest,
  text: string,
  now: number,
): RequestState | undefined {
  const opened = sealer.open(purpose, text, boundTo(request));
  if (!opened) return undefined;
  const { server, instance, park, state, exp } = opened;
  if (typeof exp !== 'number' || exp < now || server !== request.server || typeof instance !== 'string')
    return undefined;
  return {
    server,
    instance,
    park: typeof park === 'string' ? park : undefined,
    state: typeof state === 'string' ? state : undefined,
  };
}

function boundTo({ principal, method, server, params }: StatedRequest): string {
  return JSON.stringify([principal, method, server, digestOf(params)]);
}
