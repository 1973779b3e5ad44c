import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, reasons } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { type Gateway, type GatewayResponse, Lost, Unsent } from './gateway.ts';
import { errorLine } from './message.ts';
import { readText, TooLarge } from './read-answer.ts';

/** What both eras need of the way to the gateway: the key, patience while it restarts, and errors in JSON-RPC. */
export interface Link {
  /**
   * Sends, and sends again what the gateway certainly did not take, for as long as the patience lasts. Rejects with `Unsent` after that,
   * with `Lost` at once.
   */
  send(request: LinkRequest): Promise<GatewayResponse>;
  /** The error response for a refused request. Consumes the body. */
  refusal(id: RequestId, response: GatewayResponse): Promise<string>;
  /** The same for a body that was read. */
  refusalOf(id: RequestId, status: number, text: string): string;
  /** The error response for a request that could not be sent, or whose answer got lost. */
  failure(id: RequestId, error: unknown): string;
  /** Bytes of bodies that wait to be sent; `onRoom` is called when they become fewer. */
  readonly unsentBytes: number;
  /** What to exit with when nothing was ever answered. */
  readonly trouble: 'unauthorized' | 'unreachable' | undefined;
  close(): void;
}

export interface LinkRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; default: the patience of the link. 0 tries once. */
  readonly patienceMs?: number | undefined;
  /** Called once: the body is on its way, or the first attempt failed. What must not overtake it may be sent now. */
  onTried?(): void;
}

export interface LinkOptions {
  readonly gateway: Gateway;
  /** Shown in errors. */
  readonly url: URL;
  /** The API key now; undefined: none. */
  key(): string | undefined;
  /** Looks the key up again. */
  renewKey(): void;
  /** For people, on stderr. */
  say(text: string): void;
  readonly patienceMs: number;
  /** Less waits to be sent than before. */
  onRoom(): void;
}

const firstPauseMs = 100;
const longestPauseMs = 1_000;
const startupMs = 5_000;
/** Reasons of an ingress that stops or has just started. */
const transient: ReadonlySet<string> = new Set(['shutting_down', 'broker_unavailable', 'audit_unavailable']);
const maxRefusalBytes = 1_048_576;
const keyHint = 'set TOOLBUS_API_KEY to a key of an agent; `toolbus keys new AGENT` makes one';

export function createLink({ gateway, url, key, renewKey, say, patienceMs, onRoom }: LinkOptions): Link {
  let unsentBytes = 0;
  let trouble: Link['trouble'];
  let reachable: boolean | undefined;
  let toldUnauthorized = false;

  const reached = () => {
    if (reachable === false) say(`${shown} answers again`);
    reachable = true;
  };
  const unreached = (error: Error) => {
    if (reachable !== false) say(`cannot reach ${shown}: ${error.message}; trying again`);
    reachable = false;
    trouble ??= 'unreachable';
  };
  const shown = `${url.origin}${url.pathname}`;

  const once = async (request: LinkRequest, onSent: () => void): Promise<GatewayResponse> => {
    const { method, headers, body, signal } = request;
    const own = key();
    const authorization = own === undefined ? {} : { authorization: `Bearer ${own}` };
    const response = await gateway.send({ method, headers: { ...headers, ...authorization }, body, signal, onSent });
    reached();
    return response;
  };

  const persist = async (request: LinkRequest, onSent: () => void, onTried: () => void): Promise<GatewayResponse> => {
    const startedAt = performance.now();
    const giveUpAt = startedAt + (request.patienceMs ?? patienceMs);
    let renewed = false;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const isLast = performance.now() + pauseMs > giveUpAt;
      const used = key();
      try {
        const response = await once(request, onSent);
        const { status } = response;
        if (status === 401) renewKey();
        // Another request may have renewed it meanwhile.
        if (status === 401 && !renewed && key() !== used) {
          renewed = true;
          response.body.resume();
          continue;
        }
        if (status === 401) trouble = 'unauthorized';
        else if (status < 500) trouble = undefined;
        if (status !== 503 || isLast) return response;
        const { final, reason } = await unlessItNeverRan(response);
        // A gateway that starts finds NATS and its audit soon; one that has lost them should not be waited for.
        const lacks = reason !== 'shutting_down' && performance.now() - startedAt > startupMs;
        if (reason === undefined || lacks) return final;
      } catch (error) {
        if (!(error instanceof Unsent) || request.signal?.aborted === true) throw error;
        unreached(error);
        if (isLast) throw error;
      }
      onTried();
      await sleep(pauseMs, undefined, request.signal && { signal: request.signal });
    }
  };

  const refusalOf = (id: RequestId, status: number, text: string): string => {
    if (status === 401 && !toldUnauthorized) {
      toldUnauthorized = true;
      say(`${shown} refuses the API key (HTTP 401): ${keyHint}`);
    }
    const error = errorIn(text);
    const data: JsonObject = { httpStatus: status, ...(status === 401 && { hint: keyHint }) };
    if (error === undefined) {
      const what = status >= 300 && status < 400 ? ', a redirect, which is not followed' : '';
      return errorLine(id, rpcCode.internalError, `the gateway answered HTTP ${status}${what}`, data);
    }
    return JSON.stringify({ jsonrpc: '2.0', id, error: error['data'] === undefined ? { ...error, data } : error });
  };

  return {
    get trouble() {
      return trouble;
    },
    get unsentBytes() {
      return unsentBytes;
    },
    async send(request) {
      let waiting = request.body?.length ?? 0;
      unsentBytes += waiting;
      const release = () => {
        unsentBytes -= waiting;
        waiting = 0;
        onRoom();
      };
      let tried = false;
      const onTried = () => {
        if (!tried) request.onTried?.();
        tried = true;
      };
      const onSent = () => {
        release();
        onTried();
      };
      try {
        return await persist(request, onSent, onTried);
      } finally {
        onSent();
      }
    },
    async refusal(id, response) {
      const text = await readText(response, maxRefusalBytes).catch(() => '');
      return refusalOf(id, response.status, text);
    },
    refusalOf,
    failure(id, error) {
      if (error instanceof TooLarge)
        return gatewayErrorLine(id, new GatewayError('bad_upstream_output', error.message));
      if (error instanceof Unsent) {
        return gatewayErrorLine(id, new GatewayError('broker_unavailable', `toolbus cannot be reached at ${shown}`));
      }
      if (error instanceof Lost) {
        const why = 'the connection to toolbus broke before the answer came';
        return gatewayErrorLine(id, new GatewayError('shutting_down', why, { executed: 'unknown' }));
      }
      say(`unexpected: ${error instanceof Error ? error.stack : String(error)}`);
      return errorLine(id, rpcCode.internalError, 'Internal error of toolbus stdio');
    },
    close: () => gateway.close(),
  };
}

function gatewayErrorLine(id: RequestId, { reason, executed, message }: GatewayError): string {
  return errorLine(id, reasons[reason].code, message, { reason, executed });
}

/** The response, whose body is read by now; `reason` when the ingress promised that the request never ran, and why. */
async function unlessItNeverRan(
  response: GatewayResponse,
): Promise<{ readonly final: GatewayResponse; readonly reason: string | undefined }> {
  const text = await readText(response, maxRefusalBytes).catch(() => '');
  const data = errorIn(text)?.['data'];
  const reason = isJsonObject(data) && data['executed'] === 'no' ? data['reason'] : undefined;
  const final = { ...response, body: Readable.from([Buffer.from(text)]) };
  return { final, reason: typeof reason === 'string' && transient.has(reason) ? reason : undefined };
}

function errorIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const error = isJsonObject(value) ? value['error'] : undefined;
    return isJsonObject(error) && typeof error['code'] === 'number' ? error : undefined;
  } catch {
    return undefined;
  }
}
