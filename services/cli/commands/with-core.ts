import { loadConfig } from '../../../shared/config/load.ts';
import { resolveRuntime } from '../../../shared/config/runtime.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { createLogger } from '../../../shared/log.ts';
import { type Core, openCore } from '../../ingress/core.ts';
import type { CommonFlags } from '../flags.ts';
import { findBus } from '../running.ts';

/** Opens the catalog of the bus that the flags lead to, for one short command. What it calls is recorded where `makesCalls`. */
export async function withCore<T>(
  flags: CommonFlags,
  use: (core: Core, config: Config) => Promise<T>,
  { makesCalls = false }: { readonly makesCalls?: boolean } = {},
): Promise<T> {
  const runtime = resolveRuntime(flags, process.env);
  const loaded = await loadConfig({
    env: process.env,
    cwd: process.cwd(),
    forUp: true,
    file: flags.config,
    dataDir: runtime.dataDir,
  });
  const bus = await findBus(runtime, loaded.config);
  const log = createLogger(flags.logLevel === undefined ? 'error' : runtime.logLevel, 'cli');
  const core = await openCore({
    bus,
    tenant: loaded.config.nats.tenant,
    log,
    config: () => loaded.config,
    audit: makesCalls ? { dataDir: runtime.dataDir } : undefined,
  });
  try {
    return await use(core, loaded.config);
  } finally {
    await core.close();
  }
}
