import { needsNewWorker } from '../../../shared/config/diff.ts';
import { loadConfig } from '../../../shared/config/load.ts';
import { nearest } from '../../../shared/config/problems.ts';
import { resolveRuntime } from '../../../shared/config/runtime.ts';
import type { Config, ServerConfig } from '../../../shared/config/schema.ts';
import { watchConfig } from '../../../shared/config/watch.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { createLogger } from '../../../shared/log.ts';
import { startWorker } from '../../worker/main.ts';
import { workerCallKeys } from '../call-keys.ts';
import type { CommonFlags } from '../flags.ts';
import { findBus } from '../running.ts';
import { listenForStop } from '../stop-request.ts';

/** `toolbus worker SERVER`: the sidecar of one server. */
export async function runWorker(server: string, flags: CommonFlags): Promise<number> {
  const stop = listenForStop();
  const runtime = resolveRuntime(flags, process.env);
  const options = {
    env: process.env,
    cwd: process.cwd(),
    forUp: false,
    dataDir: runtime.dataDir,
    makeDirectories: true,
  };
  const loaded = await loadConfig({ ...options, file: flags.config });
  const log = createLogger(runtime.logLevel, 'worker');
  const start = async (config: Config) => {
    const bus = await findBus(runtime, config);
    return startWorker({
      server,
      config: serverOf(config, server),
      bus,
      tenant: config.nats.tenant,
      callKeys: Promise.resolve(await workerCallKeys({ server, config, bus, log })),
      log,
    });
  };
  let worker = await start(loaded.config);
  let current: ServerConfig = serverOf(loaded.config, server);

  const watcher = watchConfig({
    loaded,
    reload: (file) => loadConfig({ ...options, file }),
    onChange: async (next) => {
      const wanted = serverOf(next.config, server);
      if (!needsNewWorker(current, wanted)) return;
      // The new one first: no moment without a worker.
      const old = worker;
      worker = await start(next.config);
      current = wanted;
      await worker.settled;
      await old.close();
      log.info('the configuration was applied');
    },
    onInvalid: (error) => log.error({ err: error }, 'the changed configuration is refused; the old one stays'),
  });

  void worker.settled.then((outcome) => {
    const instance = worker.instances[0];
    if (runtime.json) {
      const line =
        'tools' in outcome
          ? { event: 'ready', server, instance, tools: outcome.tools }
          : { event: 'failed', server, instance, ...outcome };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    } else if ('tools' in outcome) {
      process.stdout.write(`${server}  ready  ${outcome.tools} tools  instance ${instance}\n`);
    } else {
      process.stderr.write(
        `${server}  failed: ${outcome.error}\n${outcome.hint === undefined ? '' : `  hint: ${outcome.hint}\n`}`,
      );
    }
  });
  return stop.closeWith(async () => {
    await watcher.close();
    await worker.close();
  });
}

function serverOf(config: Config, name: string): ServerConfig {
  const server = Object.hasOwn(config.servers, name) ? config.servers[name] : undefined;
  if (server !== undefined) return server;
  const near = nearest(name, Object.keys(config.servers));
  throw new OperatorError(exitCode.usage, `the configuration has no server ${JSON.stringify(name)}`, {
    hint: near === undefined ? `it has: ${Object.keys(config.servers).join(', ') || 'none'}` : `did you mean ${near}?`,
  });
}
