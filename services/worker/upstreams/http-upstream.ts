import { GatewayError } from '../../../shared/errors.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import { withTokens } from './auth/with-tokens.ts';
import { createBackoff } from './backoff.ts';
import { isSessionGone } from './connection.ts';
import { describeTrouble } from './down.ts';
import { eraFor, freshVerdict } from './era-verdict.ts';
import { HeldCalls } from './held-calls.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import { type HttpFindings, type HttpProbeOptions, type Introduced, openLegacyHttp, probeHttp } from './http-probe.ts';
import { createKeyedSessions } from './keyed-sessions.ts';
import { type LegacySession, openLegacySession } from './legacy-session.ts';
import { createManifestKeeper } from './manifest-keeper.ts';
import { openModernSession } from './modern-session.ts';
import type { OpenUpstreamOptions } from './open-upstream.ts';
import type { Session } from './session.ts';
import { strayLog } from './stray-log.ts';
import type { Upstream, UpstreamAnswer, UpstreamCallOptions } from './upstream.ts';

/** What we have with the server since the last time it was found. */
interface Contact {
  readonly transport: 'http' | 'sse';
  readonly eras: readonly Era[];
  readonly modern: Session | undefined;
  legacy: LegacySession | undefined;
  opening: Promise<LegacySession> | undefined;
}

/** Sessions that were replaced may still have calls under way: they are closed when those are over. */
interface Retired {
  readonly session: Session;
  calls: number;
  retired: boolean;
}

/** An upstream behind a URL: Streamable HTTP in one era or both, or HTTP+SSE. */
export function openHttpUpstream(options: OpenUpstreamOptions, url: string): Upstream {
  const { name, config, events, log, eraCache, gateway } = options;
  const client = openClient(options, url);
  const backoff = createBackoff({ firstMs: 200, lastMs: 5_000 });
  const keeper = createManifestKeeper({ server: name, log, onManifest: (manifest) => events.onManifest(manifest) });
  const onStray = strayLog(log, name);
  const uses = new Map<Session, Retired>();
  const held = new HeldCalls();
  const keyed = createKeyedSessions(async () => {
    const introduced = await openLegacyHttp(probeOptions());
    const session: LegacySession = legacySessionOf(introduced, 'http', () => keyed.ended(session));
    return session;
  });
  let subscriptions: ReadonlySet<string> = new Set();
  let watchedTasks: ReadonlySet<string> = new Set();
  let contact: Contact | undefined;
  let timer: NodeJS.Timeout | undefined;
  let connecting = false;
  let reachable = false;
  let contacts = 0;
  let closed = false;

  void Promise.resolve().then(connect);

  const sessionEvents = {
    onListChanged: keeper.changed,
    onResourceUpdated: (params: Parameters<typeof events.onResourceUpdated>[0]) => events.onResourceUpdated(params),
    onTaskChanged: (taskId: string) => events.onTaskChanged(taskId),
  };

  async function connect(): Promise<void> {
    if (closed || connecting) return;
    connecting = true;
    try {
      const findings = await probeHttp(probeOptions());
      if (closed) return discard(findings);
      remember(findings);
      const previous = contact;
      contact = adopt(findings);
      if (previous !== undefined) retire(previous);
      const first = contact.modern ?? contact.legacy;
      if (first !== undefined) await keeper.discover(first, contact.eras);
      if (closed || contact === undefined) return;
      contacts += 1;
      reachable = true;
      backoff.reset();
      if (subscriptions.size > 0) void first?.setResourceSubscriptions(subscriptions);
      if (watchedTasks.size > 0) void contact.modern?.setWatchedTasks(watchedTasks);
      log.info({ server: name, transport: contact.transport, eras: contact.eras }, 'upstream ready');
      events.onState({ state: 'ready' });
    } catch (error) {
      if (!closed) down(error);
    } finally {
      connecting = false;
      if (!closed && contact === undefined && timer === undefined)
        down(new GatewayError('upstream_lost', 'the session ended'));
    }
  }

  function probeOptions(): HttpProbeOptions {
    // A server that went away may come back as another: the old verdict is only good for the first contact.
    const verdict = contacts === 0 ? freshVerdict(eraCache) : undefined;
    return { client, config, gateway, onStray, verdict };
  }

  function remember({ eras, transport }: HttpFindings): void {
    if (config.era === 'auto') eraCache?.set({ eras, transport, at: Date.now() });
  }

  function adopt({ transport, eras, modern, legacy }: HttpFindings): Contact {
    return {
      transport,
      eras,
      modern: modern === undefined ? undefined : speakModern(modern),
      legacy: legacy === undefined ? undefined : speakLegacy(legacy, transport),
      opening: undefined,
    };
  }

  function speakModern({ peer, introduction }: Introduced): Session {
    return openModernSession({
      peer,
      introduction,
      transport: 'http',
      gateway,
      events: sessionEvents,
      headerParams: keeper.headerParams,
      refreshTools: keeper.refreshTools,
      onClosed() {},
      onUnreachable: down,
    });
  }

  function speakLegacy(introduced: Introduced, transport: 'http' | 'sse'): LegacySession {
    const session: LegacySession = legacySessionOf(introduced, transport, (error) => {
      const current = contact;
      if (closed || current === undefined || current.legacy !== session) return;
      current.legacy = undefined;
      release(session);
      // With a modern era besides, the next legacy call opens a session again.
      if (current.modern === undefined) down(error);
    });
    return session;
  }

  function legacySessionOf(
    { peer, introduction }: Introduced,
    transport: 'http' | 'sse',
    onClosed: (error: GatewayError) => void,
  ): LegacySession {
    const shared = transport === 'sse';
    const { needsTask } = keeper;
    return openLegacySession({ peer, gateway, events: sessionEvents, held, shared, needsTask, onClosed }, introduction);
  }

  function down(error: unknown): void {
    if (closed || timer !== undefined) return;
    const retryInMs = backoff.next();
    const trouble = describeTrouble(error);
    reachable = false;
    log.warn({ server: name, error: trouble.error, retryInMs }, 'upstream down');
    timer = setTimeout(() => {
      timer = undefined;
      void connect();
    }, retryInMs);
    events.onState({ state: 'down', ...trouble, retryInMs });
  }

  async function legacySession(current: Contact): Promise<LegacySession> {
    if (current.legacy !== undefined) return current.legacy;
    if (current.transport === 'sse' || !current.eras.includes('legacy')) throw notConnected();
    current.opening ??= openLegacyHttp(probeOptions())
      .then((introduced) => {
        current.legacy = speakLegacy(introduced, 'http');
        return current.legacy;
      })
      .finally(() => {
        current.opening = undefined;
      });
    return current.opening;
  }

  async function tracked(session: Session, run: () => Promise<UpstreamAnswer>): Promise<UpstreamAnswer> {
    const use = uses.get(session) ?? { session, calls: 0, retired: false };
    uses.set(session, use);
    use.calls += 1;
    try {
      return await run();
    } catch (error) {
      if (error instanceof GatewayError && error.reason === 'no_worker' && reachable) down(error);
      throw error;
    } finally {
      use.calls -= 1;
      if (use.calls === 0) {
        uses.delete(session);
        if (use.retired) void session.close();
      }
    }
  }

  async function call(wanted: Call, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    const current = contact;
    if (current === undefined) throw notConnected();
    const { modern } = current;
    if (modern !== undefined && speaksModern(current, wanted)) {
      return tracked(modern, () => modern.call(wanted, callOptions));
    }
    if (wanted.affinity !== undefined && current.transport === 'http')
      return keyedCall(wanted, wanted.affinity, callOptions);
    const session = await legacySession(current);
    try {
      return await tracked(session, () => session.call(wanted, callOptions));
    } catch (error) {
      if (!(error instanceof GatewayError) || !isSessionGone(error)) throw error;
      // The server did not know the session, so nothing ran: once more in a new one.
      if (current.legacy === session) {
        current.legacy = undefined;
        release(session);
      }
      const again = await legacySession(current);
      if (current.modern === undefined) void keeper.discover(again, current.eras);
      if (subscriptions.size > 0 && current.modern === undefined) void again.setResourceSubscriptions(subscriptions);
      contacts += 1;
      return tracked(again, () => again.call(wanted, callOptions));
    }
  }

  /** A call of an agent that the server keeps something for. What it kept is lost with its session, so that the agent must be told. */
  async function keyedCall(wanted: Call, key: string, callOptions: UpstreamCallOptions): Promise<UpstreamAnswer> {
    const session = await keyed.of(key);
    try {
      return await tracked(session, () => session.call(wanted, callOptions));
    } catch (error) {
      if (!(error instanceof GatewayError) || !isSessionGone(error)) throw error;
      keyed.ended(session);
      await keyed.of(key);
      throw error;
    }
  }

  function retire(old: Contact): void {
    if (old.modern !== undefined) release(old.modern);
    if (old.legacy !== undefined) release(old.legacy);
  }

  function release(session: Session): void {
    const use = uses.get(session);
    if (use === undefined) void session.close();
    else use.retired = true;
  }

  function discard({ modern, legacy }: HttpFindings): void {
    void modern?.peer.close();
    void legacy?.peer.close();
  }

  return {
    get transport() {
      return contact?.transport ?? (config.type === 'sse' ? 'sse' : 'http');
    },
    get restarts() {
      return Math.max(contacts - 1, 0);
    },
    get protocolVersion() {
      return (contact?.modern ?? contact?.legacy)?.introduction.protocolVersion;
    },
    call,
    get held() {
      return held.open;
    },
    admits: (wanted) => contact?.legacy === undefined || speaksModern(contact, wanted) || contact.legacy.admits(wanted),
    resume: (wanted, callOptions) => held.resume(wanted, callOptions),
    abandon: (park) => held.abandon(park),
    async setResourceSubscriptions(uris) {
      subscriptions = new Set(uris);
      await (contact?.modern ?? contact?.legacy)?.setResourceSubscriptions(subscriptions);
    },
    async setWatchedTasks(taskIds) {
      watchedTasks = new Set(taskIds);
      await contact?.modern?.setWatchedTasks(watchedTasks);
    },
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      keeper.close();
      const sessions = new Set<Session>(uses.keys());
      if (contact?.modern !== undefined) sessions.add(contact.modern);
      if (contact?.legacy !== undefined) sessions.add(contact.legacy);
      contact = undefined;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      await keyed.close();
      await client.close();
    },
  };
}

function speaksModern({ modern, eras }: Contact, { agent }: Call): boolean {
  return modern !== undefined && eraFor(eras, agent.protocolVersion) === 'modern';
}

function openClient({ name, config, log }: OpenUpstreamOptions, url: string): HttpClient {
  const client = createHttpClient(url, config);
  return config.auth === undefined ? client : withTokens(client, { server: name, auth: config.auth, log });
}

function notConnected(): GatewayError {
  return new GatewayError('no_worker', 'the upstream server is not connected', { retryAfterMs: 1_000 });
}
