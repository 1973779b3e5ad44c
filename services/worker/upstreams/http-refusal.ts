import { GatewayError } from '../../../shared/errors.ts';
import { isJsonObject } from '../../../shared/mcp/json.ts';
import { type JsonRpcFailure, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { SessionGone } from './connection.ts';
import type { Refusal } from './http-exchange.ts';
import { checkMessage } from './wire-check.ts';

/** Marks, as the cause of a GatewayError, the HTTP status an upstream refused us with. */
export class HttpStatus extends Error {
  override readonly name = 'HttpStatus';
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/** The status an upstream refused us with, where that is why a request failed. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof GatewayError && error.cause instanceof HttpStatus ? error.cause.status : undefined;
}

/**
 * What a 4xx or 5xx to a request means: the JSON-RPC error in its body where that answers the request (a 4xx may leave its id out), else
 * an error of ours that never quotes the body.
 */
export function readRefusal(
  refusal: Refusal,
  id: number | undefined,
  inSession: boolean,
): JsonRpcFailure | GatewayError {
  const { status, retryAfterMs } = refusal;
  const answer = failureOf(refusal, id);
  if (inSession && isLostSession(status, answer, id)) {
    return new GatewayError('upstream_lost', 'the upstream server has forgotten the session', {
      executed: 'no',
      cause: new SessionGone(`HTTP ${status}`),
    });
  }
  if (status === 401 || status === 403) {
    return new GatewayError(
      'bad_upstream_output',
      `the upstream server refused the gateway's credentials (HTTP ${status})`,
      {
        executed: 'no',
        cause: new HttpStatus(status),
      },
    );
  }
  if (status === 429) {
    return new GatewayError('overloaded', 'the upstream server has too many requests', {
      cause: new HttpStatus(status),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  if (answer !== undefined) return answer;
  return new GatewayError('bad_upstream_output', `the upstream server answered HTTP ${status}`, {
    cause: new HttpStatus(status),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function failureOf({ status, body }: Refusal, id: number | undefined): JsonRpcFailure | undefined {
  const message = checkMessage(body);
  if (message === undefined || !('error' in message)) return undefined;
  if (message.id === id) return message;
  return status < 500 && (message.id === undefined || message.id === null) ? message : undefined;
}

/**
 * 404 is what the specification says (2025-11-25, basic/transports, "Session Management"). Servers built on the TypeScript SDK answer 400 and -32000
 * about a session they have never heard of, as after a restart.
 */
function isLostSession(status: number, answer: JsonRpcFailure | undefined, id: number | undefined): boolean {
  if (status === 404) return answer === undefined || answer.id !== id || answer.error.code !== rpcCode.methodNotFound;
  return status === 400 && answer?.error.code === -32000 && /session|initializ/i.test(answer.error.message);
}

/** True for an error body that is a plain JSON-RPC error, whatever its status. */
export function hasRpcError(refusal: Refusal): boolean {
  return isJsonObject(refusal.body) && isJsonObject(refusal.body['error']);
}
