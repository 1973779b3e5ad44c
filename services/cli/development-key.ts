import { randomBytes } from 'node:crypto';
import { isLoopback } from '../../shared/config/network.ts';
import type { Config } from '../../shared/config/schema.ts';

/** A key for trying things out, where the configuration names no agents and nobody but this machine can reach the listener. */
export function createDevelopmentKey(config: Config, host: string): string | undefined {
  const wanted = config.auth.mode === 'keys' && Object.keys(config.agents).length === 0 && isLoopback(host);
  return wanted ? `tb_dev_${randomBytes(24).toString('base64url')}` : undefined;
}
