import type { OutgoingHttpHeaders } from 'node:http';
import { type GatewayResponse, Lost } from './gateway.ts';
import type { Link } from './link.ts';
import type { ClientRequest } from './message.ts';
import { openSession, type Session, sessionHeaders } from './session.ts';

/** The session of the client at the gateway, and what opens it again where the gateway does not know it any more. */
export interface SessionKeeper {
  /** Undefined before the first and after the end. */
  readonly current: Session | undefined;
  /** Opens a session in place of the one before; resolves with the answer for the client. Rejects with SessionRefused, Lost or Unsent. */
  open(initialize: Buffer): Promise<string>;
  /** Sends in the session; in a new one where the gateway does not know the old one any more. One begins after the other. */
  post(body: Buffer): Promise<{ readonly response: GatewayResponse; readonly own: Session | undefined }>;
  /** One new session for all who find the old one gone. */
  reopen(stale: Session): Promise<Session>;
  /** The client has finished its handshake with these bytes. */
  initialized(body: Buffer): void;
  /** Takes note of what a request has set in the session, which a new one must be told again. */
  remember(message: ClientRequest): void;
  /** Ends the session. */
  close(): Promise<void>;
}

export interface SessionKeeperOptions {
  readonly link: Link;
  /** A session was opened that the client knows nothing of. */
  onReopened(fresh: Session): void;
}

const accept = 'application/json, text/event-stream';
const defaultInitialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}');
const maxSettings = 1_000;
const goodbyeMs = 2_000;

export function createSessionKeeper({ link, onReopened }: SessionKeeperOptions): SessionKeeper {
  /** Lines as the client wrote them. */
  const settings = new Map<string, Buffer>();
  let initialize: Buffer | undefined;
  let initialized: Buffer | undefined;
  let session: Session | undefined;
  let opening: Promise<Session> | undefined;
  let turn: Promise<void> = Promise.resolve();

  const post = (body: Buffer, own: Session | undefined, onTried?: () => void): Promise<GatewayResponse> => {
    const headers: OutgoingHttpHeaders = { 'content-type': 'application/json', accept, ...sessionHeaders(own) };
    return link.send({ method: 'POST', headers, body, ...(onTried && { onTried }) });
  };

  async function postInTurn(body: Buffer) {
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

  async function open(body: Buffer): Promise<string> {
    if (session !== undefined) await end(session);
    session = undefined;
    initialize = body;
    initialized = undefined;
    settings.clear();
    const first = openSession(body, post);
    opening = first.then(({ session: opened }) => opened);
    opening.catch(() => undefined);
    try {
      const opened = await first;
      session = opened.session;
      return opened.answer;
    } finally {
      opening = undefined;
    }
  }

  function reopen(stale: Session): Promise<Session> {
    if (session !== undefined && session !== stale) return Promise.resolve(session);
    opening ??= openAgain().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function openAgain(): Promise<Session> {
    if (initialize === undefined) throw new Lost('there is no session');
    const { session: fresh } = await openSession(initialize, post);
    session = fresh;
    for (const line of [initialized ?? defaultInitialized, ...settings.values()]) {
      (await post(line, fresh)).body.resume();
    }
    onReopened(fresh);
    return fresh;
  }

  async function end(own: Session): Promise<void> {
    if (own.id === undefined) return;
    const signal = AbortSignal.timeout(goodbyeMs);
    await link.send({ method: 'DELETE', headers: sessionHeaders(own), patienceMs: 0, signal }).then(
      ({ body }) => void body.resume(),
      () => undefined,
    );
  }

  return {
    get current() {
      return session;
    },
    open,
    post: postInTurn,
    reopen,
    initialized(body) {
      initialized = body;
    },
    remember({ method, params, body }) {
      const uri = typeof params['uri'] === 'string' ? params['uri'] : undefined;
      if (method === 'logging/setLevel') settings.set(method, body);
      else if (method === 'resources/subscribe' && uri !== undefined && settings.size < maxSettings)
        settings.set(`uri ${uri}`, body);
      else if (method === 'resources/unsubscribe' && uri !== undefined) settings.delete(`uri ${uri}`);
    },
    async close() {
      if (session !== undefined) await end(session);
      session = undefined;
    },
  };
}
