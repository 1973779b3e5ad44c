import { loadConfig } from '../../../shared/config/load.ts';
import { requireSafeBind, resolveRuntime } from '../../../shared/config/runtime.ts';
import { watchConfig } from '../../../shared/config/watch.ts';
import { createLogger } from '../../../shared/log.ts';
import { toolbusVersion } from '../../../shared/version.ts';
import { startSinks } from '../../audit/sinks/start-sinks.ts';
import { startIngress } from '../../ingress/main.ts';
import type { CommonFlags } from '../flags.ts';
import { ingressOptions } from '../ingress-options.ts';
import { readyLine } from '../output/ready.ts';
import { findBus, showNats } from '../running.ts';
import { listenForStop } from '../stop-request.ts';

/** `toolbus ingress`: one ingress on a NATS that runs already. */
export async function runIngress(flags: CommonFlags): Promise<number> {
  const stop = listenForStop();
  const runtime = resolveRuntime(flags, process.env);
  const options = { env: process.env, cwd: process.cwd(), forUp: false, dataDir: runtime.dataDir };
  const loaded = await loadConfig({ ...options, file: flags.config });
  requireSafeBind(loaded.config, runtime.host);
  const log = createLogger(runtime.logLevel, 'ingress');
  for (const warning of loaded.warnings) log.warn(warning);
  const bus = await findBus(runtime, loaded.config);
  const served = ingressOptions(runtime, loaded.config, bus, log);
  const { developmentKey } = served;
  const ingress = await startIngress(served);
  const sinks = await startSinks({ bus, config: loaded.config, version: toolbusVersion(), log });
  const watcher = watchConfig({
    loaded,
    reload: (file) => loadConfig({ ...options, file }),
    onChange: async (next) => {
      requireSafeBind(next.config, runtime.host);
      ingress.reload(next.config);
      await sinks.reload(next.config);
      log.info('the configuration was applied');
    },
    onInvalid: (error) => log.error({ err: error }, 'the changed configuration is refused; the old one stays'),
  });
  if (runtime.json) {
    process.stdout.write(
      readyLine({ mcp: ingress.mcp, admin: ingress.admin, nats: bus.url, key: developmentKey, servers: [] }),
    );
  } else {
    process.stdout.write(`MCP    ${ingress.mcp}\nadmin  ${ingress.admin}\nNATS   ${showNats(bus.url)}\n`);
    if (developmentKey !== undefined) process.stdout.write(`key    ${developmentKey}\n`);
  }
  return stop.closeWith(async () => {
    await watcher.close();
    await ingress.close();
    await sinks.close();
  });
}
