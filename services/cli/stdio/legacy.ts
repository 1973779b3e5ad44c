import type { OutgoingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { mcpHeader } from '../../../shared/mcp/mcp-headers.ts';
import { type GatewayResponse, Lost, Unsent } from './gateway.ts';
import { type ClientMessage, type ClientNotification, type ClientRequest, readServerMessages } from './message.ts';
import type { SideOptions } from './modern.ts';
import { readAnswer } from './read-answer.ts';
import { openSession, type Session, type SessionMemory, SessionRefused } from './session.ts';

/** Sessions of 2025-11-25 and before: `initialize`, then POSTs, and a standing GET stream for what the server says by itself. */
export interface LegacySide {
  request(message: ClientRequest): Promise<void>;
  notify(message: ClientNotification): Promise<void>;
  /** A response to a question of the server. */
  respond(message: Extract<ClientMessage, { kind: 'response' }>): Promise<void>;
  batch(message: Extract<ClientMessage, { kind: 'batch' }>): Promise<void>;
  /** The client reads no questions any more: the shim answers them. */
  clientLeft(): void;
  /** Ends the session. */
  close(): Promise<void>;
}

const accept = 'application/json, text/event-stream';
const defaultRetryMs = 500;
const longestRetryMs = 5_000;
/** For how long a broken answer is asked for again. */
const resumeMs = 30_000;

export function createLegacySide(options: SideOptions & { say(text: string): void }): LegacySide {
  const { link, inFlight, output, say } = options;
  const memory: SessionMemory = { opening: undefined, initialized: undefined, settings: new Map() };
  const ending = new AbortController();
  let session: Session | undefined;
  let opening: Promise<Session> | undefined;
  let alone = false;
  let turn: Promise<void> = Promise.resolve();

  const headersOf = (own: Session | undefined): OutgoingHttpHeaders => ({
    ...(own?.id !== undefined && { [mcpHeader.sessionId]: own.id }),
    ...(own?.version !== undefined && { [mcpHeader.protocolVersion]: own.version }),
  });
  const post = (body: Buffer, own: Session | undefined, onTried?: () => void): Promise<GatewayResponse> =>
    link.send({
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, ...headersOf(own) },
      body,
      ...(onTried && { onTried }),
    });

  /** Sends in the session; in a new one where the gateway does not know the old one any more. */
  async function postInSession(body: Buffer): Promise<{ response: GatewayResponse; own: Session | undefined }> {
    // One after the other: a cancellation must not overtake what it cancels.
    const before = turn;
    let next = () => {};
    turn = new Promise((resolve) => {
      next = resolve;
    });
    try {
      await before;
      await opening?.catch(() => undefined);
      const own = session;
      const response = await post(body, own, next);
      if (response.status !== 404 || own?.id === undefined) return { response, own };
      response.body.destroy();
      const fresh = await reopen(own);
      return { response: await post(body, fresh), own: fresh };
    } finally {
      next();
    }
  }

  async function initialize(message: ClientRequest): Promise<void> {
    if (session !== undefined) await end(session);
    session = undefined;
    memory.opening = message.body;
    memory.initialized = undefined;
    memory.settings.clear();
    const first = openSession(message.body, post);
    opening = first.then(({ session: opened }) => opened);
    opening.catch(() => undefined);
    try {
      const opened = await first;
      session = opened.session;
      output.write(opened.answer);
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      output.write(link.refusalOf(message.id, error.status, error.body));
    } finally {
      opening = undefined;
    }
  }

  /** One new session for all who find the old one gone. */
  function reopen(stale: Session): Promise<Session> {
    if (session !== undefined && session !== stale) return Promise.resolve(session);
    opening ??= (async () => {
      const { opening: body } = memory;
      if (body === undefined) throw new Lost('there is no session');
      const { session: fresh } = await openSession(body, post);
      session = fresh;
      for (const line of [memory.initialized ?? defaultInitialized, ...memory.settings.values()]) {
        (await post(line, fresh)).body.resume();
      }
      say('the gateway knew the session no more; it was opened again');
      tellOfChanges(fresh);
      void stand(fresh);
      return fresh;
    })().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  /** What the server said meanwhile is lost, so the client looks for itself. */
  function tellOfChanges({ announces }: Session): void {
    for (const list of announces) {
      output.write(JSON.stringify({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` }));
    }
  }

  function pass(text: string): RequestId[] {
    const messages = readServerMessages(text);
    if (messages === undefined) return [];
    if (alone && messages.some(({ id, method }) => method !== undefined && id !== undefined)) {
      for (const { id, method } of messages) if (method !== undefined && id !== undefined && id !== null) decline(id);
      return [];
    }
    output.write(text);
    return messages.flatMap(({ id, method }) => (method === undefined && id !== undefined && id !== null ? [id] : []));
  }

  function decline(id: RequestId): void {
    const error = { code: rpcCode.internalError, message: 'the client has left' };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error }));
    postInSession(body).then(
      ({ response }) => void response.body.resume(),
      () => undefined,
    );
  }

  /** Passes on what a POST is answered with, resuming the stream where it breaks. `owed` are the requests that must be answered. */
  async function passAnswer(
    first: GatewayResponse,
    own: Session | undefined,
    owed: Set<RequestId>,
    signal?: AbortSignal,
  ): Promise<void> {
    let response: GatewayResponse | undefined = first;
    let lastId: string | undefined;
    let retryMs = defaultRetryMs;
    const giveUpAt = performance.now() + resumeMs;
    for (;;) {
      try {
        if (response !== undefined) {
          await readAnswer(response, {
            onMessage: (text) => {
              for (const id of pass(text)) owed.delete(id);
            },
            onEventId: (id) => {
              lastId = id;
            },
            onRetry: (ms) => {
              retryMs = Math.min(ms, longestRetryMs);
            },
            drained: output.drained,
          });
        }
      } catch (error) {
        if (!(error instanceof Lost) || lastId === undefined) throw error;
      }
      if (owed.size === 0 || signal?.aborted === true) return;
      if (lastId === undefined || performance.now() > giveUpAt) throw new Lost('the answer ended before the result');
      await sleep(retryMs, undefined, signal && { signal });
      response = await link
        .send({
          method: 'GET',
          headers: { accept: 'text/event-stream', 'last-event-id': lastId, ...headersOf(own) },
          signal,
        })
        .catch(onlyUnsent);
      if (response !== undefined && response.status !== 200) {
        response.body.destroy();
        throw new Lost('the answer cannot be resumed');
      }
    }
  }

  /** Keeps the stream for what belongs to no request, for as long as this is the session. */
  async function stand(own: Session): Promise<void> {
    let lastId: string | undefined;
    let retryMs = defaultRetryMs;
    let broken = false;
    while (session === own && !ending.signal.aborted) {
      const resumed = lastId !== undefined;
      try {
        const headers = { accept: 'text/event-stream', ...headersOf(own), ...(resumed && { 'last-event-id': lastId }) };
        const response = await link.send({ method: 'GET', headers, signal: ending.signal, patienceMs: 0 });
        if (response.status === 200) {
          // Also where the stream is resumed: while no gateway ran, nobody compared lists.
          if (broken) tellOfChanges(own);
          broken = false;
          await readAnswer(response, {
            onMessage: pass,
            onEventId: (id) => {
              lastId = id;
            },
            onRetry: (ms) => {
              retryMs = Math.min(ms, longestRetryMs);
            },
            drained: output.drained,
          });
        } else {
          response.body.destroy();
          // A server without such a stream says 405; one that knows the event no more is asked for the stream as it is now.
          if (response.status === 405) return;
          if (response.status === 404 && own.id !== undefined) {
            await reopen(own);
            return;
          }
          if (resumed) lastId = undefined;
          broken = true;
          retryMs = longestRetryMs;
        }
      } catch (error) {
        if (ending.signal.aborted) return;
        if (!(error instanceof Lost) && !(error instanceof Unsent)) {
          say(`the event stream failed: ${String(error)}`);
          retryMs = longestRetryMs;
        }
        broken = true;
      }
      await sleep(retryMs, undefined, { signal: ending.signal }).catch(() => undefined);
      retryMs = defaultRetryMs;
    }
  }

  async function end(own: Session): Promise<void> {
    if (own.id === undefined) return;
    const signal = AbortSignal.timeout(2_000);
    await link.send({ method: 'DELETE', headers: headersOf(own), patienceMs: 0, signal }).then(
      ({ body }) => void body.resume(),
      () => undefined,
    );
  }

  return {
    async request(message) {
      const { id, method, body } = message;
      const flight = inFlight.begin(id);
      try {
        if (method === 'initialize') return await initialize(message);
        const { response, own } = await postInSession(body);
        if (response.status >= 300) return output.write(await link.refusal(id, response));
        remember(memory, message);
        await passAnswer(response, own, new Set([id]), flight.signal);
      } catch (error) {
        if (!flight.signal.aborted)
          output.write(
            error instanceof SessionRefused ? link.refusalOf(id, error.status, error.body) : link.failure(id, error),
          );
      } finally {
        flight.end();
      }
    },
    async notify({ method, params, body }) {
      try {
        const { requestId } = params;
        // The gateway ends the answer of a cancelled request without one.
        if (method === 'notifications/cancelled' && (typeof requestId === 'string' || typeof requestId === 'number'))
          inFlight.cancel(requestId);
        const { response, own } = await postInSession(body);
        response.body.resume();
        if (method !== 'notifications/initialized' || response.status >= 300 || own === undefined) return;
        memory.initialized = body;
        void stand(own);
      } catch (error) {
        say(`a notification was lost (${method}): ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    async respond({ body }) {
      try {
        const { response } = await postInSession(body);
        if (response.status >= 300) say(`an answer of the client was refused: HTTP ${response.status}`);
        response.body.resume();
      } catch (error) {
        say(`an answer of the client was lost: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    async batch({ ids, body }) {
      const owed = new Set(ids);
      const flights = ids.map((id) => inFlight.begin(id));
      try {
        const { response, own } = await postInSession(body);
        if (response.status >= 300) {
          const text = await link.refusal(ids[0] ?? 0, response);
          for (const id of ids) output.write(JSON.stringify({ ...JSON.parse(text), id }));
        } else await passAnswer(response, own, owed);
      } catch (error) {
        for (const id of owed) output.write(link.failure(id, error));
      } finally {
        for (const flight of flights) flight.end();
      }
    },
    clientLeft() {
      alone = true;
    },
    async close() {
      ending.abort();
      if (session !== undefined) await end(session);
      session = undefined;
    },
  };
}

const defaultInitialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}');
const maxSettings = 1_000;

/** What a session has set and a new one must set again. */
function remember({ settings }: SessionMemory, { method, params, body }: ClientRequest): void {
  const uri = typeof params['uri'] === 'string' ? params['uri'] : undefined;
  if (method === 'logging/setLevel') settings.set(method, body);
  else if (method === 'resources/subscribe' && uri !== undefined && settings.size < maxSettings)
    settings.set(`uri ${uri}`, body);
  else if (method === 'resources/unsubscribe' && uri !== undefined) settings.delete(`uri ${uri}`);
}

function onlyUnsent(error: unknown): undefined {
  if (error instanceof Unsent) return undefined;
  throw error;
}
