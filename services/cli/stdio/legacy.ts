import { type RequestId, rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { type ClientMessage, type ClientNotification, type ClientRequest, readServerMessages } from './message.ts';
import type { SideOptions } from './modern.ts';
import { readResumable } from './resumable-answer.ts';
import { SessionRefused } from './session.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { keepStandingStream, tellOfChanges } from './standing-stream.ts';

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

export function createLegacySide(options: SideOptions & { say(text: string): void }): LegacySide {
  const { link, inFlight, output, say } = options;
  const { drained } = output;
  const ending = new AbortController();
  let alone = false;

  const session = createSessionKeeper({
    link,
    onReopened(fresh) {
      say('the gateway knew the session no more; it was opened again');
      tellOfChanges(output, fresh);
      void keepStandingStream(fresh, standing);
    },
  });
  const standing = {
    link,
    output,
    ending: ending.signal,
    isCurrent: (own: object) => session.current === own,
    reopen: session.reopen,
    onMessage: (text: string) => void pass(text),
    say,
  };

  /** Hands on what the server says; returns which requests it answers. */
  function pass(text: string): readonly RequestId[] {
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
    session.post(body).then(
      ({ response }) => void response.body.resume(),
      () => undefined,
    );
  }

  return {
    async request(message) {
      const { id, method, body } = message;
      const flight = inFlight.begin(id);
      // A client must not cancel its `initialize` (2025-11-25, basic/utilities/cancellation): it is answered whatever the client says.
      const mayCancel = method !== 'initialize';
      try {
        if (!mayCancel) return output.write(await session.open(body));
        const { response, own } = await session.post(body);
        if (response.status >= 300) return output.write(await link.refusal(id, response));
        session.remember(message);
        const { signal } = flight;
        await readResumable(link, response, { session: own, owed: new Set([id]), signal, onMessage: pass, drained });
      } catch (error) {
        if (mayCancel && flight.signal.aborted) return;
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
        const { response, own } = await session.post(body);
        response.body.resume();
        if (method !== 'notifications/initialized' || response.status >= 300 || own === undefined) return;
        session.initialized(body);
        void keepStandingStream(own, standing);
      } catch (error) {
        say(`a notification was lost (${method}): ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    async respond({ body }) {
      try {
        const { response } = await session.post(body);
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
        const { response, own } = await session.post(body);
        if (response.status >= 300) {
          const text = await link.refusal(ids[0] ?? 0, response);
          for (const id of ids) output.write(JSON.stringify({ ...JSON.parse(text), id }));
        } else await readResumable(link, response, { session: own, owed, onMessage: pass, drained });
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
      await session.close();
    },
  };
}
