import { setTimeout as sleep } from 'node:timers/promises';
import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import { type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { encodeHeaderValue, nameMember } from '../../../shared/mcp/mcp-headers.ts';
import { metaKey } from '../../../shared/mcp/meta.ts';
import { type GatewayResponse, Lost } from './gateway.ts';
import type { InFlight } from './in-flight.ts';
import type { Link } from './link.ts';
import { type ClientRequest, readServerMessages } from './message.ts';
import type { Output } from './output.ts';
import { createParamHeaders } from './param-headers.ts';
import { type AnswerReader, maxMessageBytes, readAnswer, readText } from './read-answer.ts';

/** Requests of 2026-07-28, which know no session: each is a POST of its own, and closing that cancels it. */
export interface ModernSide {
  /** Resolves when the request is answered or cancelled. */
  request(message: ClientRequest): Promise<void>;
  /** Cancels a request of this side; false when it runs none of that id. */
  cancel(id: unknown): boolean;
}

export interface SideOptions {
  readonly link: Link;
  readonly inFlight: InFlight;
  readonly output: Output;
}

const reopenMs = 500;
/** A subscription that ends that soon, that often in a row, is not wanted. */
const quickMs = 5_000;
const maxQuickEnds = 5;
const accept = 'application/json, text/event-stream';

export function createModernSide({ link, inFlight, output }: SideOptions): ModernSide {
  const paramHeaders = createParamHeaders();
  const own = new Set<RequestId>();

  async function post(message: ClientRequest, signal: AbortSignal, patienceMs?: number): Promise<GatewayResponse> {
    const { method, params, revision, body } = message;
    const member = nameMember(method);
    const name = member === undefined ? undefined : params[member];
    return link.send({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept,
        'mcp-protocol-version': encodeHeaderValue(revision ?? ''),
        'mcp-method': encodeHeaderValue(method),
        ...(typeof name === 'string' && { 'mcp-name': encodeHeaderValue(name) }),
        ...(method === 'tools/call' && typeof name === 'string' && paramHeaders.of(name, params['arguments'])),
      },
      body,
      signal,
      patienceMs,
    });
  }

  async function answer(message: ClientRequest, signal: AbortSignal): Promise<void> {
    const { id, method } = message;
    let response = await post(message, signal);
    if (method === 'tools/call' && response.status === 400) {
      const text = await readText(response, maxMessageBytes);
      if (!isHeaderMismatch(text)) return output.write(link.refusalOf(id, response.status, text));
      // "Clients SHOULD refresh tools/list and retry once": the client behind us knows nothing of headers.
      await refreshTools(message, signal);
      response = await post(message, signal);
    }
    if (response.status >= 300) return passRefusal(id, response);
    let answered = false;
    const onMessage = (text: string) => {
      const messages = readServerMessages(text);
      if (messages === undefined) return;
      answered ||= messages.some((one) => one.method === undefined && one.id === id);
      if (method === 'tools/list') paramHeaders.learn(text);
      output.write(text);
    };
    await readAnswer(response, listener(onMessage));
    if (!answered) throw new Lost('the gateway ended the answer before the result');
  }

  const listener = (onMessage: (text: string) => void): AnswerReader => ({
    onMessage,
    onEventId: () => undefined,
    onRetry: () => undefined,
    drained: output.drained,
  });

  async function passRefusal(id: RequestId, response: GatewayResponse): Promise<void> {
    output.write(await link.refusal(id, response));
  }

  async function refreshTools(message: ClientRequest, signal: AbortSignal): Promise<void> {
    const { _meta } = message.params;
    let cursor: string | undefined;
    for (let page = 0; page < 100; page += 1) {
      const params: JsonObject = { _meta, ...(cursor !== undefined && { cursor }) };
      const list = { jsonrpc: '2.0', id: 'toolbus-refresh', method: 'tools/list', params };
      const request: ClientRequest = {
        kind: 'request',
        id: list.id,
        method: list.method,
        params,
        revision: message.revision,
        body: Buffer.from(JSON.stringify(list)),
      };
      const response = await post(request, signal);
      let next: string | undefined;
      const onMessage = (text: string) => {
        next = paramHeaders.learn(text) ?? next;
      };
      await readAnswer(response, listener(onMessage));
      if (next === undefined || next === cursor) return;
      cursor = next;
    }
  }

  /**
   * `subscriptions/listen` ends when its connection does. The client's pipe goes on, so it is opened again, and the client is told that
   * everything it listens to may have changed in between.
   */
  async function listen(message: ClientRequest, signal: AbortSignal): Promise<void> {
    const { id } = message;
    let accepted: JsonObject | undefined;
    let end: string | undefined;
    for (let quickEnds = 0; quickEnds < maxQuickEnds; ) {
      const again = accepted !== undefined;
      const openedAt = performance.now();
      const onMessage = (text: string) => {
        const [first] = readServerMessages(text) ?? [];
        if (first === undefined) return;
        if (first.method === undefined && first.id === id) {
          end = text;
          return;
        }
        if (first.method === 'notifications/subscriptions/acknowledged') {
          accepted = acceptedIn(first.value) ?? {};
          if (again) {
            for (const notice of missedNotices(accepted, id)) output.write(notice);
            return;
          }
        }
        output.write(text);
      };
      try {
        const response = await post(message, signal, again ? 0 : undefined);
        if (response.status < 300) await readAnswer(response, listener(onMessage));
        else if (!again) return passRefusal(id, response);
        else if (response.status < 500) return output.write(end ?? (await link.refusal(id, response)));
        else response.body.destroy();
      } catch (error) {
        if (signal.aborted || accepted === undefined) throw error;
      }
      if (end !== undefined && !hasWishes(accepted)) return output.write(end);
      if (accepted === undefined) throw new Lost('the subscription was never acknowledged');
      quickEnds = performance.now() - openedAt < quickMs && end !== undefined ? quickEnds + 1 : 0;
      await sleep(reopenMs, undefined, { signal });
    }
    if (end !== undefined) output.write(end);
  }

  return {
    cancel: (id) => (typeof id === 'string' || typeof id === 'number') && own.has(id) && inFlight.cancel(id),
    async request(message) {
      const { id, method } = message;
      own.add(id);
      const standing = method === 'subscriptions/listen';
      const flight = inFlight.begin(id, standing);
      try {
        await (standing ? listen(message, flight.signal) : answer(message, flight.signal));
      } catch (error) {
        // A cancelled request is owed no answer.
        if (!flight.signal.aborted) output.write(link.failure(id, error));
      } finally {
        own.delete(id);
        flight.end();
      }
    },
  };
}

function isHeaderMismatch(text: string): boolean {
  const [message] = readServerMessages(text) ?? [];
  const error = message?.value['error'];
  return isJsonObject(error) && error['code'] === rpcCode.headerMismatch;
}

function acceptedIn(message: JsonObject): JsonObject | undefined {
  const params = message['params'];
  const accepted = isJsonObject(params) ? params['notifications'] : undefined;
  return isJsonObject(accepted) ? accepted : undefined;
}

function hasWishes(accepted: JsonObject | undefined): boolean {
  return accepted !== undefined && Object.keys(accepted).length > 0;
}

const listNotices: ReadonlyArray<readonly [string, string]> = [
  ['toolsListChanged', 'notifications/tools/list_changed'],
  ['promptsListChanged', 'notifications/prompts/list_changed'],
  ['resourcesListChanged', 'notifications/resources/list_changed'],
];

function missedNotices(accepted: JsonObject, id: RequestId): string[] {
  const _meta = { [metaKey.subscriptionId]: id };
  const line = (method: string, params: JsonObject) =>
    JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta } });
  const uris = accepted['resourceSubscriptions'];
  return [
    ...listNotices.filter(([wish]) => accepted[wish] === true).map(([, method]) => line(method, {})),
    ...(Array.isArray(uris) ? uris : []).map((uri) => line('notifications/resources/updated', { uri })),
  ];
}
