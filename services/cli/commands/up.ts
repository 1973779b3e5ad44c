import { diffServers } from '../../../shared/config/diff.ts';
import { type LoadedConfig, loadConfig } from '../../../shared/config/load.ts';
import { type Runtime, requireSafeBind, resolveRuntime } from '../../../shared/config/runtime.ts';
import type { ServerConfig } from '../../../shared/config/schema.ts';
import { watchConfig } from '../../../shared/config/watch.ts';
import { createLogger, type Logger } from '../../../shared/log.ts';
import { toolbusVersion } from '../../../shared/version.ts';
import { startSinks } from '../../audit/sinks/start-sinks.ts';
import type { Ingress } from '../../ingress/main.ts';
import type { CommonFlags } from '../flags.ts';
import { ingressOptions } from '../ingress-options.ts';
import { readyLine, type ServerReport } from '../output/ready.ts';
import { welcome } from '../output/welcome.ts';
import { busAddress, writeRunning } from '../running.ts';
import { listenForStop, type StopRequest } from '../stop-request.ts';
import { type EmbeddedNats, startEmbeddedNats } from '../supervise/embedded-nats.ts';
import { createFleet, type Fleet } from '../supervise/fleet.ts';
import { reportServer } from '../supervise/reports.ts';

/** A server that has neither come up nor failed by then is reported as starting. */
const settleMs = 15_000;
/** A changed server's old workers stay until the new ones are ready, at most this long. */
const replaceMs = 15_000;

/** `toolbus up`: nats-server, ingress and all workers on this machine. */
export async function runUp(flags: CommonFlags): Promise<number> {
  const startedAt = performance.now();
  const stop = listenForStop();
  const runtime = resolveRuntime(flags, process.env);
  const quiet = flags.json !== true && flags.logLevel === undefined && process.env['TOOLBUS_LOG_LEVEL'] === undefined;
  const log = createLogger(quiet ? 'error' : runtime.logLevel, 'up');
  const options = {
    env: process.env,
    cwd: process.cwd(),
    forUp: true,
    dataDir: runtime.dataDir,
    makeDirectories: true,
  };
  let loaded = await loadConfig({ ...options, file: flags.config });
  requireSafeBind(loaded.config, runtime.host);
  const warnings = loaded.warnings;
  for (const warning of warnings) log.warn(warning);

  const external = runtime.nats ?? loaded.config.nats.url;
  const { tenant } = loaded.config.nats;
  const starting =
    external === undefined
      ? startEmbeddedNats({
          dataDir: runtime.dataDir,
          log,
          tenant,
          servers: Object.keys(loaded.config.servers),
          syncAlways: loaded.config.audit.durability === 'always',
        })
      : undefined;
  const own = external === undefined ? undefined : busAddress(external, loaded.config);
  let onStarted: (ingress: Ingress) => void = () => undefined;
  const started = new Promise<Ingress>((resolve) => {
    onStarted = resolve;
  });
  const fleet = createFleet({
    busOf: async (server) => own ?? (await (starting as Promise<EmbeddedNats>)).busOf(server),
    callKeysOf: async (server) => (await started).core.callKeysOf(server),
    tenant,
    logLevel: quiet ? 'error' : runtime.logLevel,
    cwd: options.cwd,
    log,
  });
  let ingress: Ingress | undefined;
  try {
    // Worker processes load while nats-server comes up, which loading the ingress here would delay.
    for (const [name, server] of Object.entries(loaded.config.servers)) if (!server.disabled) fleet.start(name, server);
    const natsServer = await starting;
    const { startIngress } = await import('../../ingress/main.ts');
    const bus = own ?? (natsServer as EmbeddedNats).bus;
    const nats = bus.url;
    const served = ingressOptions(runtime, loaded.config, bus, log);
    ingress = await startIngress(served);
    onStarted(ingress);
    const sinks = await startSinks({ bus, config: loaded.config, version: toolbusVersion(), log });
    const forgetRunning = await rememberRunning(runtime, natsServer === undefined ? undefined : { nats, ingress });
    const servers = await settled(loaded, ingress, fleet, stop);
    const watcher = watchConfig({
      loaded,
      reload: (file) => loadConfig({ ...options, file }),
      onChange: async (next) => {
        requireSafeBind(next.config, runtime.host);
        await apply(loaded, next, ingress as Ingress, fleet, log);
        await sinks.reload(next.config);
        loaded = next;
      },
      onInvalid: (error) => log.error({ err: error }, 'the changed configuration is refused; the old one stays'),
    });
    const ready = { mcp: ingress.mcp, admin: ingress.admin, nats, key: served.developmentKey, servers };
    process.stdout.write(
      runtime.json
        ? readyLine(ready)
        : welcome({
            ...ready,
            config: loaded,
            natsServer: natsServer?.server,
            warnings,
            readyMs: performance.now() - startedAt,
          }),
    );
    const running = { fleet, ingress };
    return await stop.closeWith(async () => {
      if (!runtime.json) process.stderr.write('\nstopping: finishing what is in flight\n');
      await watcher.close();
      // The ingress first: it lets answers finish, which needs the workers.
      await running.ingress.close();
      await sinks.close();
      await running.fleet.close();
      await forgetRunning();
      await natsServer?.close();
    });
  } catch (error) {
    await fleet.close();
    await ingress?.close(0);
    await (await starting?.catch(() => undefined))?.close();
    throw error;
  }
}

async function rememberRunning(
  runtime: Runtime,
  running: { nats: string; ingress: Ingress } | undefined,
): Promise<() => Promise<void>> {
  if (running === undefined) return async () => {};
  const { nats, ingress } = running;
  return writeRunning(runtime.dataDir, { pid: process.pid, nats, mcp: ingress.mcp, admin: ingress.admin });
}

/** Waits until each server's first worker is ready or has failed. */
async function settled(
  loaded: LoadedConfig,
  ingress: Ingress,
  fleet: Fleet,
  stop: StopRequest,
): Promise<ServerReport[]> {
  const names = Object.keys(loaded.config.servers).filter((name) => loaded.config.servers[name]?.disabled !== true);
  const reports = () =>
    names.map((name) => reportServer(name, ingress.core.catalog.instances(name), fleet.pidsOf(name)));
  await until(
    settleMs,
    () =>
      stop.requested ||
      reports().every(
        ({ name, status }) =>
          status === 'failed' || (status === 'ready' && ingress.core.catalog.manifest(name) !== undefined),
      ),
  );
  return reports();
}

async function apply(
  before: LoadedConfig,
  next: LoadedConfig,
  ingress: Ingress,
  fleet: Fleet,
  log: Logger,
): Promise<void> {
  const { added, removed, changed } = diffServers(before.config, next.config);
  const start = (name: string) => fleet.start(name, next.config.servers[name] as ServerConfig);
  ingress.reload(next.config);
  for (const name of added) start(name);
  await Promise.all([
    ...changed.map(async (name) => {
      const old = fleet.pidsOf(name);
      const fresh = start(name);
      await until(
        replaceMs,
        () => reportServer(name, ingress.core.catalog.instances(name), fresh).status !== 'starting',
      );
      await fleet.stop(old);
    }),
    ...removed.map(async (name) => {
      await fleet.stop(fleet.pidsOf(name));
      await ingress.core.forget(name);
    }),
  ]);
  log.info({ added, removed, changed }, 'the configuration was applied');
}

/** Looks again and again until `test` holds or the time is over. */
function until(limitMs: number, test: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!test()) return;
      finish();
    };
    const finish = () => {
      clearTimeout(limit);
      clearInterval(poll);
      resolve();
    };
    const limit = setTimeout(finish, limitMs);
    const poll = setInterval(look, 20);
    look();
  });
}
