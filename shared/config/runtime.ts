import { join, resolve } from 'node:path';
import { exitCode, OperatorError } from '../errors.ts';
import { isLoopback, isNatsUrl } from './network.ts';
import { nearest, showName } from './problems.ts';
import type { Config } from './schema.ts';

/** Flags as the command line has them; absent ones are undefined. */
export interface RuntimeFlags {
  readonly host?: string | undefined;
  readonly port?: string | number | undefined;
  readonly adminHost?: string | undefined;
  readonly adminPort?: string | number | undefined;
  readonly dataDir?: string | undefined;
  readonly nats?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly json?: boolean | undefined;
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Where and how a process runs, which the configuration file does not say. */
export interface Runtime {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  /** Absolute. */
  readonly dataDir: string;
  /** From `--nats`, `TOOLBUS_NATS` or `NATS_URL`; goes before `nats.url` of the file. */
  readonly nats: string | undefined;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

/** Flags, else `TOOLBUS_*` variables, else defaults. Throws an `OperatorError` (exit 2) that names the flag or the variable. */
export function resolveRuntime(flags: RuntimeFlags, env: NodeJS.ProcessEnv, cwd: string = process.cwd()): Runtime {
  const pick = (flag: string, value: string | number | undefined, ...variables: string[]): Setting | undefined => {
    if (value !== undefined) return { from: flag, value: String(value) };
    const name = variables.find((variable) => env[variable]);
    const held = name === undefined ? undefined : env[name];
    return name === undefined || held === undefined ? undefined : { from: name, value: held };
  };
  const dataDir = pick('--data-dir', flags.dataDir, 'TOOLBUS_DATA_DIR');
  return {
    host: hostOf(pick('--host', flags.host, 'TOOLBUS_HOST')) ?? '127.0.0.1',
    port: portOf(pick('--port', flags.port, 'TOOLBUS_PORT')) ?? 8080,
    adminHost: hostOf(pick('--admin-host', flags.adminHost, 'TOOLBUS_ADMIN_HOST')) ?? '127.0.0.1',
    adminPort: portOf(pick('--admin-port', flags.adminPort, 'TOOLBUS_ADMIN_PORT')) ?? 8081,
    dataDir: dataDir === undefined ? dataDirOf({}, cwd) : resolve(cwd, textOf(dataDir)),
    nats: natsOf(pick('--nats', flags.nats, 'TOOLBUS_NATS', 'NATS_URL')),
    logLevel: logLevelOf(pick('--log-level', flags.logLevel, 'TOOLBUS_LOG_LEVEL')) ?? 'info',
    json: flags.json ?? false,
  };
}

/** The data directory without flags: `TOOLBUS_DATA_DIR`, else `.toolbus` where toolbus was started. */
export function dataDirOf(env: NodeJS.ProcessEnv, cwd: string): string {
  return env['TOOLBUS_DATA_DIR'] ? resolve(cwd, env['TOOLBUS_DATA_DIR']) : join(cwd, '.toolbus');
}

/** `TOOLBUS_SECRET`, `TOOLBUS_NATS`/`NATS_URL`, `TOOLBUS_NATS_CREDENTIALS` and `TOOLBUS_TENANT` go before the file. */
export function overrideFromEnvironment(config: Config, env: NodeJS.ProcessEnv): Config {
  const url = env['TOOLBUS_NATS'] ? 'TOOLBUS_NATS' : 'NATS_URL';
  const nats = natsOf(env[url] ? { from: url, value: env[url] } : undefined);
  const credentials = env['TOOLBUS_NATS_CREDENTIALS'];
  const tenant = env['TOOLBUS_TENANT'];
  const secret = env['TOOLBUS_SECRET'];
  return {
    ...config,
    nats: {
      ...config.nats,
      ...(nats !== undefined && { url: nats }),
      ...(credentials && { credentials }),
      ...(tenant && { tenant }),
    },
    cluster: { ...config.cluster, ...(secret && { secret }) },
  };
}

/** Refuses `auth.mode: none` on anything but loopback (CONTRACT §4), and mode oauth there without the URL that tokens are for. */
export function requireSafeBind({ auth }: Config, host: string): void {
  if (isLoopback(host)) return;
  if (auth.mode === 'oauth' && auth.resource === undefined) {
    throw new OperatorError(exitCode.usage, 'auth.resource is missing: tokens are made for the URL that agents use', {
      hint: 'set auth.resource to the public URL of this listener, such as https://tools.example.com',
    });
  }
  if (auth.mode !== 'none') return;
  throw new OperatorError(exitCode.usage, 'auth.mode: none is for loopback only, and this listener would not be', {
    hint: 'use auth.mode: keys, or --host 127.0.0.1',
  });
}

/** A value and the flag or variable that it came from. */
interface Setting {
  readonly from: string;
  readonly value: string;
}

function fail(setting: Setting, text: string): never {
  throw new OperatorError(exitCode.usage, `${setting.from} ${text}`);
}

function textOf(setting: Setting): string {
  if (setting.value === '' || setting.value.includes('\0')) fail(setting, 'must not be empty');
  return setting.value;
}

function hostOf(setting: Setting | undefined): string | undefined {
  if (setting === undefined) return undefined;
  if (!/^[A-Za-z0-9.:_%-]{1,253}$/.test(setting.value)) fail(setting, 'must be a host name or an IP address');
  return setting.value;
}

function portOf(setting: Setting | undefined): number | undefined {
  if (setting === undefined) return undefined;
  const port = /^\d{1,5}$/.test(setting.value) ? Number(setting.value) : Number.NaN;
  if (!(port <= 65_535)) fail(setting, 'must be a port from 0 to 65535');
  return port;
}

function natsOf(setting: Setting | undefined): string | undefined {
  if (setting === undefined) return undefined;
  if (!isNatsUrl(setting.value))
    fail(setting, 'must be a NATS address such as nats://host:4222, or several with commas');
  return setting.value;
}

function logLevelOf(setting: Setting | undefined): LogLevel | undefined {
  if (setting === undefined) return undefined;
  const level = logLevels.find((known) => known === setting.value.toLowerCase());
  if (level !== undefined) return level;
  const meant = nearest(setting.value, logLevels);
  const hint = meant === undefined ? '' : `; did you mean ${showName(meant)}?`;
  return fail(setting, `must be one of ${logLevels.join(', ')}${hint}`);
}
