import { GatewayError } from '../../../shared/errors.ts';
import { childEnv } from '../../../shared/process/child-env.ts';
import { type GuardedChild, spawnGuarded } from '../../../shared/process/guarded-child.ts';
import { createBackoff } from './backoff.ts';
import { askDiscover, readDiscover } from './discover.ts';
import { describeTrouble } from './down.ts';
import { freshVerdict } from './era-verdict.ts';
import { HeldCalls } from './held-calls.ts';
import { initialize, type LegacySession, openLegacySession } from './legacy-session.ts';
import { limits } from './limits.ts';
import { createManifestKeeper } from './manifest-keeper.ts';
import { openModernSession } from './modern-session.ts';
import type { OpenUpstreamOptions } from './open-upstream.ts';
import { Peer } from './peer.ts';
import type { Introduction, Session } from './session.ts';
import { openStdio, type StdioConnection } from './stdio-connection.ts';
import { strayLog } from './stray-log.ts';
import type { Upstream } from './upstream.ts';

type Opened =
  | { readonly era: 'modern'; readonly session: Session }
  | { readonly era: 'legacy'; readonly session: LegacySession };

/** One run of the child, from its start to its end. */
interface Run {
  readonly child: GuardedChild;
  readonly connection: StdioConnection;
  readonly peer: Peer;
  readonly startedAt: number;
  /** The answer to `server/discover`, whenever it came. */
  late: Introduction | undefined;
}

const crashWindowMs = 60_000;
const crashesInWindow = 5;
/** A child that was ready for so long has not failed at starting: the next start comes soon. */
const stableMs = 10_000;

/** An upstream that is a child process. It is started again whenever it ends. */
export function openStdioUpstream(options: OpenUpstreamOptions): Upstream {
  const { name, config, events, log, eraCache, gateway } = options;
  const backoff = createBackoff({ firstMs: 200, lastMs: 30_000 });
  const keeper = createManifestKeeper({ server: name, log, onManifest: (manifest) => events.onManifest(manifest) });
  const held = new HeldCalls();
  const ends: number[] = [];
  let subscriptions: ReadonlySet<string> = new Set();
  let watchedTasks: ReadonlySet<string> = new Set();
  let run: Run | undefined;
  let opened: Opened | undefined;
  let timer: NodeJS.Timeout | undefined;
  let restarts = -1;
  let closed = false;
  let endsOnUnknownRequest = false;
  let knownModern = false;

  void Promise.resolve().then(start);

  async function start(): Promise<void> {
    if (closed) return;
    restarts += 1;
    let current: Run | undefined;
    try {
      current = spawn();
      run = current;
      const mine = current;
      opened = await converse(mine);
      if (closed || run !== mine) return;
      const { session } = opened;
      await keeper.discover(session, [session.era]);
      if (closed || run !== mine || opened?.session !== session) return;
      if (subscriptions.size > 0) void session.setResourceSubscriptions(subscriptions);
      if (watchedTasks.size > 0) void session.setWatchedTasks(watchedTasks);
      log.info({ server: name, childPid: mine.child.pid, era: session.era }, 'upstream ready');
      events.onState({ state: 'ready' });
    } catch (error) {
      if (closed || (current !== undefined && run !== current)) return;
      fail(error, current);
    }
  }

  function spawn(): Run {
    const { command = '', args, cwd } = config;
    const child = spawnGuarded({ command, args, cwd, env: childEnv(config.env, options.env) });
    const peer = new Peer(strayLog(log, name));
    const connection = openStdio(child, peer);
    peer.attach(connection);
    return { child, connection, peer, startedAt: performance.now(), late: undefined };
  }

  /** Finds the era of this child and opens a session in it. */
  async function converse(mine: Run): Promise<Opened> {
    const { peer } = mine;
    const verdict = freshVerdict(eraCache);
    const skipProbe =
      config.era === 'legacy' || (config.era === 'auto' && (endsOnUnknownRequest || isLegacyOnly(verdict)));
    if (!skipProbe) {
      const introduction = await probe(mine);
      if (introduction !== undefined) {
        remember('modern');
        const session = openModernSession({
          peer,
          introduction,
          transport: 'stdio',
          gateway,
          events: sessionEvents,
          headerParams: keeper.headerParams,
          refreshTools: keeper.refreshTools,
          onClosed: (error) => onClosed(error, mine),
          onUnreachable() {},
        });
        return { era: 'modern', session };
      }
      if (config.era === 'modern') {
        throw new GatewayError(
          'bad_upstream_output',
          'the upstream server does not speak 2026-07-28, which the config demands',
        );
      }
    }
    const answer = await initialize(peer, gateway, limits.handshakeMs).catch((error: unknown) => {
      // The verdict may be old or wrong: ask again at the next start.
      endsOnUnknownRequest = false;
      eraCache?.set(undefined);
      throw error;
    });
    if (!('protocolVersion' in answer)) {
      eraCache?.set(undefined);
      const { code } = answer.error;
      throw new GatewayError('bad_upstream_output', `the upstream server refused initialize with error ${code}`);
    }
    if (mine.late !== undefined) {
      // It was only slow to start (npx downloads first), and our initialize has tied this child to the legacy era.
      knownModern = true;
      throw new StartAgain('the server speaks 2026-07-28 after all');
    }
    remember('legacy');
    const session = openLegacySession(
      {
        peer,
        gateway,
        events: sessionEvents,
        held,
        shared: true,
        needsTask: keeper.needsTask,
        onClosed: (error) => onClosed(error, mine),
      },
      answer,
    );
    return { era: 'legacy', session };
  }

  /** Undefined: legacy. A server that ends over the unknown request is started again and asked in the legacy way. */
  async function probe(mine: Run): Promise<Introduction | undefined> {
    const asked = askDiscover(mine.peer, gateway, limits.handshakeMs).then(readDiscover);
    asked.then(
      (introduction) => {
        mine.late = introduction;
      },
      () => {},
    );
    if (config.era === 'modern' || knownModern) return asked;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), limits.probeMs);
    });
    try {
      return await Promise.race([asked, tooLong]);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.reason !== 'upstream_lost') throw error;
      endsOnUnknownRequest = true;
      throw new StartAgain('the server ended over server/discover');
    } finally {
      clearTimeout(timer);
    }
  }

  function remember(era: 'modern' | 'legacy'): void {
    if (config.era === 'auto') eraCache?.set({ eras: [era], transport: 'stdio', at: Date.now() });
  }

  const sessionEvents = {
    onListChanged: keeper.changed,
    onResourceUpdated: (params: Parameters<typeof events.onResourceUpdated>[0]) => events.onResourceUpdated(params),
    onTaskChanged: (taskId: string) => events.onTaskChanged(taskId),
  };

  function onClosed(error: GatewayError, mine: Run): void {
    if (closed || run !== mine) return;
    fail(error, mine);
  }

  function fail(error: unknown, ended: Run | undefined): void {
    run = undefined;
    opened = undefined;
    if (ended !== undefined) void ended.connection.close();
    const now = performance.now();
    if (error instanceof StartAgain) {
      log.info({ server: name, why: error.message }, 'starting the server again');
      timer = setTimeout(() => void start(), 0);
      return;
    }
    if (ended !== undefined && now - ended.startedAt > stableMs) backoff.reset();
    ends.push(now);
    while (ends[0] !== undefined && now - ends[0] > crashWindowMs) ends.shift();
    const looping = ends.length >= crashesInWindow;
    const retryInMs = backoff.next();
    const trouble = describeTrouble(error, ended?.connection.stderrTail());
    const hint = looping ? `it ended ${ends.length} times within a minute: run its command by hand` : trouble.hint;
    log.warn({ server: name, error: trouble.error, retryInMs, crashLoop: looping }, 'upstream down');
    timer = setTimeout(() => void start(), retryInMs);
    events.onState({ state: 'down', error: trouble.error, retryInMs, ...(hint !== undefined && { hint }) });
  }

  function session(): Opened['session'] {
    if (opened !== undefined) return opened.session;
    throw new GatewayError('no_worker', 'the upstream server is not running', { retryAfterMs: 1_000 });
  }

  return {
    transport: 'stdio',
    get restarts() {
      return Math.max(restarts, 0);
    },
    get protocolVersion() {
      return opened?.session.introduction.protocolVersion;
    },
    call: async (call, callOptions) => session().call(call, callOptions),
    get held() {
      return held.open;
    },
    admits: (call) => opened?.era !== 'legacy' || opened.session.admits(call),
    resume: (call, callOptions) => held.resume(call, callOptions),
    abandon: (park) => held.abandon(park),
    async setResourceSubscriptions(uris) {
      subscriptions = new Set(uris);
      await opened?.session.setResourceSubscriptions(subscriptions);
    },
    async setWatchedTasks(taskIds) {
      watchedTasks = new Set(taskIds);
      await opened?.session.setWatchedTasks(watchedTasks);
    },
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      keeper.close();
      const last = run;
      const ending = opened?.session.close() ?? last?.peer.close();
      run = undefined;
      opened = undefined;
      await ending;
    },
  };
}

/** No failure: the child showed its era in a way that takes a new start. */
class StartAgain extends Error {
  override readonly name = 'StartAgain';
}

function isLegacyOnly(verdict: { readonly eras: readonly string[] } | undefined): boolean {
  return verdict?.eras.every((era) => era === 'legacy') ?? false;
}
