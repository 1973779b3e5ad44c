import type { BusAddress } from '../../shared/bus/connect.ts';
import type { Runtime } from '../../shared/config/runtime.ts';
import type { Config } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/log.ts';
import type { IngressOptions } from '../ingress/main.ts';
import { createDevelopmentKey } from './development-key.ts';

/** What flags, variables and configuration make of an ingress on `bus`; with a development key where nobody else could come in. */
export function ingressOptions(runtime: Runtime, config: Config, bus: BusAddress, log: Logger): IngressOptions {
  const { dataDir, host, port, adminHost, adminPort } = runtime;
  return {
    config,
    bus,
    tenant: config.nats.tenant,
    dataDir,
    host,
    port,
    adminHost,
    adminPort,
    developmentKey: createDevelopmentKey(config, host),
    log,
  };
}
