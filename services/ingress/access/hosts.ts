import { isLoopback } from '../../../shared/config/network.ts';
import type { Config } from '../../../shared/config/schema.ts';

/** Which `Host` and `Origin` values the listener answers to: the defence against DNS rebinding. */
export interface HostRules {
  /** `malformed` for a value that is no host with an optional port. */
  host(value: string): 'allowed' | 'foreign' | 'malformed';
  /** `undefined` (no browser, or same origin) passes. */
  origin(value: string | undefined): boolean;
}

const hostSyntax = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?)(?::(\d{1,5}))?$/;
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Rules for a listener bound to `bind`. On loopback the names of this machine are allowed with any port besides the configured ones.
 * So is the host of `publicUrl`, which the operator has named. Elsewhere `Host` is free unless `allowedHosts` names some, because a public name is not known to us; an `Origin` must be configured.
 */
export function createHostRules(access: Config['access'], bind: string, publicUrl?: string): HostRules {
  const local = isLoopback(bind);
  const ownName = bind.includes(':') ? `[${bind}]` : bind;
  const defaults = local ? [...loopbackNames, ownName.toLowerCase()] : [];
  const own = publicUrl === undefined ? [] : [new URL(publicUrl).host];
  const hosts = new Set([...defaults, ...own, ...access.allowedHosts.map((host) => host.toLowerCase())]);
  const origins = new Set([
    ...defaults.flatMap((name) => [`http://${name}`, `https://${name}`]),
    ...access.allowedOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, '')),
  ]);
  const checksHost = local || access.allowedHosts.length > 0;

  return {
    host(value) {
      const lower = value.toLowerCase();
      const name = hostSyntax.exec(lower)?.[1];
      if (name === undefined) return 'malformed';
      if (!checksHost || hosts.has(name) || hosts.has(lower)) return 'allowed';
      return 'foreign';
    },
    origin(value) {
      if (value === undefined) return true;
      const lower = value.toLowerCase();
      const separator = lower.indexOf('://');
      if (separator === -1) return false;
      const name = hostSyntax.exec(lower.slice(separator + 3))?.[1];
      if (name === undefined) return false;
      // An entry may name an origin with its port, one with any port, or a host with any scheme.
      return origins.has(lower) || origins.has(`${lower.slice(0, separator + 3)}${name}`) || origins.has(name);
    },
  };
}
