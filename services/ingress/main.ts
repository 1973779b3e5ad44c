import { setTimeout as sleep } from 'node:timers/promises';
import type { BusAddress } from '../../shared/bus/connect.ts';
import type { Config } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/log.ts';
import { toolbusVersion } from '../../shared/version.ts';
import { configDetail, recordEvents } from './audit/events.ts';
import { registerAuditMetrics } from './audit/metrics.ts';
import { auditReadiness } from './audit/readiness.ts';
import { type Core, openCore } from './core.ts';
import { createAdminServer } from './http/admin/server.ts';
import type { EdgeDeps } from './http/edge.ts';
import { createLegacyEdge } from './http/legacy/edge.ts';
import { createModernEdge } from './http/modern/edge.ts';
import { createPublicServer } from './http/server.ts';
import { createDoorLimits } from './limits/door-limits.ts';
import { registerLimitMetrics } from './limits/metrics.ts';
import { createMetrics } from './metrics.ts';
import { registerCheckMetrics } from './validation/metrics.ts';

export interface IngressOptions {
  readonly config: Config;
  readonly bus: BusAddress;
  readonly tenant: string;
  /** Where records of calls wait while the stream takes none. Undefined: nothing is recorded, to measure what it costs. */
  readonly dataDir: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  /** See createAuthenticator. */
  readonly developmentKey?: string | undefined;
  readonly log: Logger;
}

export interface Ingress {
  readonly core: Core;
  /** `http://host:port/mcp`; with TLS, https */
  readonly mcp: string;
  readonly admin: string;
  /** Puts another configuration in force. What is in flight goes on. */
  reload(config: Config): void;
  /** Refuses new work with `shutting_down`, lets open answers finish for at most `graceMs`, ends streams, closes. */
  close(graceMs?: number): Promise<void>;
}

/** With the goodbyes before and after, at most the 10 s of the contract. */
const drainMs = 9_000;
/** New requests are answered `shutting_down` for this long before the listener closes, in milliseconds. */
const lameDuckMs = 300;
/** After the grace, for answers that say why they end. Milliseconds. */
const lastAnswerMs = 1_000;

/** Starts one ingress: bus, catalog, both listeners. Throws OperatorError when NATS or a port cannot be had. */
export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const { log, host } = options;
  let config = options.config;
  const stopping = new AbortController();
  const { bus, tenant, dataDir } = options;
  const recorded = dataDir === undefined ? undefined : { dataDir };
  const core = await openCore({ bus, tenant, log, config: () => config, audit: recorded, keepsPins: true });
  core.checks.warm();
  const { catalog, audit } = core;
  const servers = () => [...new Set([...Object.keys(config.servers), ...core.announced()])].sort();
  const metrics = createMetrics({
    version: toolbusVersion(),
    instances: () => servers().flatMap((server) => catalog.instances(server)),
    load: () => core.dispatcher.load(),
    lateFrames: () => core.caller.lateFrames,
  });
  registerCheckMetrics(metrics.registry, core.checks, catalog);
  const stopEvents = audit && recordEvents(audit, { catalog, blocks: core.blocks, servers });
  audit?.event('writer_started', { version: toolbusVersion() });
  if (audit) registerAuditMetrics(metrics.registry, () => audit.status);
  const deps: EdgeDeps = {
    handle: metrics.measure(core.handle),
    catalog,
    sessions: core.sessions,
    resources: core.resources,
    tasks: core.tasks,
    sealer: core.sealer,
    log,
    config: () => config,
    stopping: stopping.signal,
  };
  const legacy = createLegacyEdge(deps);
  const modern = createModernEdge(deps);
  const doorLimits = createDoorLimits(() => config);
  registerLimitMetrics(metrics.registry, core.limits, doorLimits);
  const publicServer = await createPublicServer({
    deps,
    doorLimits,
    modern,
    legacy,
    host,
    port: options.port,
    developmentKey: options.developmentKey,
    blocks: core.blocks,
    onRefused: audit?.refusedAtDoor,
  });
  const admin = await createAdminServer({
    host: options.adminHost,
    port: options.adminPort,
    catalog,
    metrics,
    servers,
    checks: [
      {
        name: 'nats',
        run: () =>
          core.caller.connected
            ? { ok: true, reason: 'connected' }
            : { ok: false, reason: 'the connection is down; reconnecting' },
      },
      {
        name: 'catalog',
        run: () =>
          core.caughtUp ? { ok: true, reason: 'known' } : { ok: false, reason: 'reading what workers announced' },
      },
      {
        name: 'audit',
        run: () => (audit === undefined ? { ok: true, reason: 'off' } : auditReadiness(audit.status)),
      },
      {
        name: 'stopping',
        run: () => (stopping.signal.aborted ? { ok: false, reason: 'shutting down' } : { ok: true, reason: 'no' }),
      },
    ],
  });

  return {
    core,
    mcp: `${publicServer.url}/mcp`,
    admin: admin.url,
    reload(next) {
      audit?.event('config_reloaded', configDetail(config, next));
      config = next;
      catalog.configChanged();
      publicServer.configChanged();
    },
    async close(graceMs = drainMs) {
      stopping.abort();
      // Agents on open connections learn it from an answer; only then does the listener close under those that are idle.
      await sleep(Math.min(lameDuckMs, graceMs));
      const forced = setTimeout(() => core.caller.close(), graceMs);
      // A connection whose agent does not read its last answer, or never hung up, may not hold the process for ever.
      const cut = setTimeout(() => publicServer.app.server.closeAllConnections(), graceMs + lastAnswerMs);
      await Promise.all([legacy.close(), publicServer.close()]);
      clearTimeout(forced);
      clearTimeout(cut);
      await admin.close();
      stopEvents?.();
      audit?.event('writer_stopped', {});
      await core.close();
    },
  };
}
