import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAnnouncer } from '../../shared/bus/announcer.ts';
import type { WorkerBuckets } from '../../shared/bus/buckets.ts';
import { type Admission, type CalleeAnswer, createCallee, type RunContext } from '../../shared/bus/callee.ts';
import type { NatsConnection } from '../../shared/bus/connect.ts';
import { answerDiscovery } from '../../shared/bus/discovery.ts';
import { lineOf } from '../../shared/bus/limits.ts';
import { followWantedResources, isAlone } from '../../shared/bus/resource-interest.ts';
import type { Subjects } from '../../shared/bus/subjects.ts';
import { followWantedTasks } from '../../shared/bus/task-watch.ts';
import { createUnsignedCallReporter } from '../../shared/bus/unsigned-calls.ts';
import type { ServerConfig } from '../../shared/config/schema.ts';
import { createProcessId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import type { Call } from '../../shared/mcp/call.ts';
import type { InstanceStatus, Manifest } from '../../shared/mcp/manifest.ts';
import { createBreaker } from './breaker.ts';
import type { EraCache } from './upstreams/era-verdict.ts';
import { openUpstream } from './upstreams/open-upstream.ts';
import type { UpstreamState } from './upstreams/upstream.ts';

const publishAgainMs = 1_000;
/** By then the heartbeat of a worker that was killed before this one started is old enough to tell. */
const predecessorGoneMs = 2_500;

export interface InstanceOptions {
  readonly server: string;
  readonly config: ServerConfig;
  /** The URL of this instance, where the server has any. */
  readonly url?: string | undefined;
  readonly calls: NatsConnection;
  readonly control: NatsConnection;
  readonly buckets: WorkerBuckets;
  readonly subjects: Subjects;
  readonly eraCache: EraCache | undefined;
  readonly callKeys: Promise<readonly Buffer[]>;
  readonly version: string;
  readonly log: Logger;
}

/** One upstream on the bus: its slots, its breaker, its entry in the registry. */
export interface Instance {
  readonly id: string;
  /** Resolves with the number of tools after the first discovery, or with the cause when the first connection failed. */
  readonly settled: Promise<{ tools: number } | { error: string; hint?: string | undefined }>;
  /** Takes no more calls, finishes what runs within `graceMs`, ends the upstream. */
  close(graceMs: number): Promise<void>;
}

/** Opens the upstream and takes calls as soon as it is ready. Throws OperatorError for a configuration that cannot be opened. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const { server, config, calls, control, buckets, subjects, log } = options;
  const id = createProcessId();
  const startedAt = Date.now();
  let manifest: Manifest | undefined;
  /** The manifest that ingresses can read by now; the status names no other. */
  let published: Manifest | undefined;
  let state: InstanceStatus['state'] = 'starting';
  let lastError: string | undefined;
  let hint: string | undefined;
  let settle: (outcome: { tools: number } | { error: string; hint?: string | undefined }) => void = () => {};
  const settled: Instance['settled'] = new Promise((resolve) => {
    settle = resolve;
  });
  const stats = { requests: 0, errors: 0, nanoseconds: 0 };
  let callKeys: readonly Buffer[] = [];
  const whenReady: (() => void)[] = [];

  // A command that is not there fails before anybody listens.
  const early: (() => void)[] = [];
  let open = false;
  const onceOpen = (act: () => void): void => {
    if (open) act();
    else early.push(act);
  };

  const breaker = createBreaker(config.breaker, (now) => {
    log.warn({ breaker: now }, 'the circuit breaker changed');
    follow();
  });
  const upstream = await openUpstream({
    name: server,
    config,
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.eraCache === undefined ? {} : { eraCache: options.eraCache }),
    env: process.env,
    gateway: { name: 'toolbus', version: options.version },
    log,
    events: {
      onManifest: (next) => onceOpen(() => void onManifest(next)),
      onResourceUpdated: (params) => onceOpen(() => wanted.updated(params)),
      onTaskChanged: (taskId) => onceOpen(() => wantedTasks.changed(taskId)),
      onState: (next) => onceOpen(() => onState(next)),
    },
  });
  const reportUnsigned = createUnsignedCallReporter(control, subjects, server, id);
  const callee = createCallee({
    nc: calls,
    subjects,
    server,
    instance: id,
    log,
    line: lineOf(config.concurrency),
    callKeys: () => callKeys,
    onUnproven: (_call, ingress) => reportUnsigned(ingress),
    admit,
    run,
    abandon: (park) => upstream.abandon(park),
  });
  const announcer = createAnnouncer(buckets, status, log);
  const follower = { nc: control, subjects, buckets, log, server, instance: id };
  const wanted = followWantedResources({
    ...follower,
    async onChange(uris) {
      await upstream.setResourceSubscriptions(uris);
      // An upstream that is away takes them when it comes.
      if (state !== 'ready') await new Promise<void>((resolve) => whenReady.push(resolve));
    },
  });
  const wantedTasks = followWantedTasks({
    ...follower,
    onChange: (taskIds) => upstream.setWatchedTasks(taskIds),
  });
  const discovery = answerDiscovery(control, facts, () => ({
    requests: stats.requests,
    errors: stats.errors,
    processingTime: stats.nanoseconds,
    lastError: lastError ?? '',
  }));
  options.callKeys.then(
    (keys) => {
      callKeys = keys;
      follow();
    },
    (error: unknown) => log.error({ err: error }, 'the keys of calls did not come; none are taken'),
  );
  announcer.beat();
  open = true;
  for (const act of early.splice(0)) act();

  function status(): InstanceStatus {
    return {
      server,
      instance: id,
      state,
      manifest: published?.hash,
      tools: published?.tools.length ?? 0,
      concurrency: config.concurrency,
      inFlight: callee.inFlight + upstream.held,
      breaker: breaker.state,
      retryAfterMs: breaker.state === 'open' ? breaker.retryAfterMs : undefined,
      lastError,
      hint,
      eras: published?.eras ?? [],
      protocolVersion: upstream.protocolVersion,
      serverVersion: typeof published?.serverInfo['version'] === 'string' ? published.serverInfo['version'] : undefined,
      transport: upstream.transport,
      restarts: upstream.restarts,
      pid: process.pid,
      host: hostname(),
      version: options.version,
      startedAt,
    };
  }

  /** Group membership and registry follow the state: who cannot serve leaves the queue group. */
  function follow(): void {
    if (state === 'draining') return;
    // Without keys every call would be refused.
    if (state === 'ready' && published !== undefined && breaker.state !== 'open' && callKeys.length > 0) {
      callee.join(published.tools.map((tool) => String(tool['name'])));
    } else {
      callee.leave();
    }
    announcer.beat();
  }

  /** False while NATS cannot store it: without a manifest nobody can call this server, so it is tried again. */
  async function publish(next: Manifest): Promise<boolean> {
    try {
      await announcer.publish(next);
      return true;
    } catch (error) {
      log.error({ err: error }, 'cannot publish the manifest');
      return false;
    }
  }

  async function onManifest(next: Manifest): Promise<void> {
    manifest = next;
    while (!(await publish(next))) {
      await sleep(publishAgainMs, undefined, { ref: false });
      // A newer one is on its way, or nobody needs any.
      if (manifest !== next || state === 'draining') return;
    }
    if (manifest !== next) return;
    published = next;
    onState({ state: 'ready' });
    settle({ tools: next.tools.length });
  }

  function onState(next: UpstreamState): void {
    if (state === 'draining') return;
    if (next.state === 'ready') {
      if (published !== undefined) becomeReady();
    } else {
      state = 'failed';
      lastError = next.error;
      hint = next.hint;
      settle({ error: next.error, hint: next.hint });
    }
    follow();
  }

  function becomeReady(): void {
    const before = state;
    state = 'ready';
    for (const resolve of whenReady.splice(0)) resolve();
    if (before === 'failed') wantedTasks.missed();
    if (before === 'failed') wanted.missed(wanted.uris());
    // An upstream may be ready before it is known what agents are subscribed to.
    else if (before === 'starting') void wanted.caughtUp.then(tellMissed);
  }

  /** Resources that agents were subscribed to when the only worker died may have changed since. */
  async function tellMissed(): Promise<void> {
    const uris = wanted.uris();
    await sleep(predecessorGoneMs, undefined, { ref: false });
    const alone = await isAlone(buckets, server, id).catch(() => false);
    if (alone && state === 'ready') wanted.missed(uris);
  }

  function admit(inFlight: number, call: Call): Admission {
    // An answer to a question goes to the call that holds a slot of the upstream already.
    if (call.park !== undefined) return { ok: true };
    if (state !== 'ready') return { ok: false, why: 'down' };
    if (breaker.state === 'open') return { ok: false, why: 'breaker', retryAfterMs: breaker.retryAfterMs };
    if (breaker.state === 'half_open' && inFlight > 0)
      return { ok: false, why: 'breaker', retryAfterMs: config.breaker.resetMs };
    // A held call keeps its place at the server until its agent has answered.
    const hasRoom = inFlight + upstream.held < config.concurrency && upstream.admits(call);
    return hasRoom ? { ok: true } : { ok: false, why: 'full' };
  }

  async function run(call: Call, context: RunContext): Promise<CalleeAnswer> {
    const begun = performance.now();
    stats.requests += 1;
    try {
      return await breaker.run(() =>
        call.park === undefined ? upstream.call(call, context) : upstream.resume(call, context),
      );
    } catch (error) {
      stats.errors += 1;
      throw error;
    } finally {
      stats.nanoseconds += Math.round((performance.now() - begun) * 1e6);
    }
  }

  function facts() {
    return {
      name: `toolbus-${server}`,
      id,
      version: options.version,
      description: `toolbus worker of ${server}`,
      metadata: { server, instance: id, state, breaker: breaker.state, transport: upstream.transport },
      endpoints: [
        { name: 'tools', subject: subjects.tools(server), queueGroup: subjects.group(server) },
        { name: 'rpc', subject: subjects.rpcs(server), queueGroup: subjects.group(server) },
      ],
    };
  }

  return {
    id,
    settled,
    async close(graceMs) {
      state = 'draining';
      announcer.beat();
      await callee.drain(graceMs);
      wanted.close();
      wantedTasks.close();
      discovery.close();
      breaker.close();
      await upstream.close();
      await announcer.close();
    },
  };
}
