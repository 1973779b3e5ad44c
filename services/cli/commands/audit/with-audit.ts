import { type AuditStreamNames, auditStreamNames } from '../../../../shared/bus/audit-stream.ts';
import { connectBus, type NatsConnection } from '../../../../shared/bus/connect.ts';
import { loadConfig } from '../../../../shared/config/load.ts';
import { resolveRuntime } from '../../../../shared/config/runtime.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import { createLogger } from '../../../../shared/log.ts';
import type { CommonFlags } from '../../flags.ts';
import { findBus } from '../../running.ts';

export interface OpenAudit {
  readonly nc: NatsConnection;
  readonly names: AuditStreamNames;
  readonly config: Config;
}

/** Opens the audit of the bus that the flags lead to, on a connection of its own: reading slows no call. */
export async function withAudit<T>(flags: CommonFlags, use: (audit: OpenAudit) => Promise<T>): Promise<T> {
  const runtime = resolveRuntime(flags, process.env);
  const { config } = await loadConfig({
    env: process.env,
    cwd: process.cwd(),
    forUp: true,
    file: flags.config,
    dataDir: runtime.dataDir,
  });
  const log = createLogger(flags.logLevel === undefined ? 'error' : runtime.logLevel, 'cli');
  const nc = await connectBus({ ...(await findBus(runtime, config)), name: 'toolbus audit reader', log });
  try {
    return await use({ nc, names: auditStreamNames(config.nats.tenant), config });
  } finally {
    await nc.close();
  }
}
