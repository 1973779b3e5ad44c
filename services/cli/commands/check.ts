import { type LoadedConfig, loadConfig } from '../../../shared/config/load.ts';
import { maskText, maskUrl, type ShownServer, showServer } from '../../../shared/config/mask.ts';
import { type Runtime, type RuntimeFlags, requireSafeBind, resolveRuntime } from '../../../shared/config/runtime.ts';
import { type UpstreamAuthKind, upstreamAuthKind } from '../../../shared/config/upstream-auth-kind.ts';
import { exitCode } from '../../../shared/errors.ts';
import { checkIdentities } from '../../ingress/access/authenticate.ts';
import { auditDurability } from '../output/durability.ts';

export interface CheckOptions {
  readonly file?: string | undefined;
  readonly flags?: RuntimeFlags | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly json: boolean;
  readonly stdout: { write(text: string): unknown };
}

/**
 * `toolbus check`: loads the configuration and prints what would run; starts nothing, makes nothing. Returns the exit code; what is
 * invalid is thrown as an `OperatorError`, as everywhere.
 */
export async function runCheck({ file, flags, env, cwd, json, stdout }: CheckOptions): Promise<number> {
  const runtime = resolveRuntime(flags ?? {}, env, cwd);
  const loaded = await loadConfig({ file, env, cwd, forUp: false, dataDir: runtime.dataDir });
  requireSafeBind(loaded.config, runtime.host);
  // Refuses here what `up` and `ingress` would refuse: a key or a subject that two agents share.
  checkIdentities(loaded.config);
  const report = describe(loaded, runtime);
  stdout.write(json ? `${JSON.stringify(report)}\n` : render(report));
  return exitCode.ok;
}

interface ServerReport extends ShownServer {
  readonly name: string;
  readonly disabled: boolean;
  readonly instances: number;
  readonly concurrency: number;
  readonly era: string;
  readonly timeoutMs: number;
  readonly upstreamAuth: UpstreamAuthKind;
}

interface AgentReport {
  readonly name: string;
  readonly keys: number;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly ips: readonly string[];
}

interface CheckReport {
  readonly file: string;
  readonly servers: readonly ServerReport[];
  readonly toolsets: readonly { readonly name: string; readonly tools: readonly string[] }[];
  readonly agents: readonly AgentReport[];
  readonly auth: string;
  readonly audit: string;
  /** How safe its records are. */
  readonly durability: string;
  readonly listeners: { readonly mcp: string; readonly admin: string };
  readonly nats:
    | { readonly embedded: true; readonly dataDir: string }
    | { readonly embedded: false; readonly url: string };
  readonly warnings: readonly string[];
}

function describe({ config, file, secrets, warnings }: LoadedConfig, runtime: Runtime): CheckReport {
  const url = runtime.nats ?? config.nats.url;
  const masked = (list: readonly string[]): string[] => list.map((text) => maskText(text, secrets));
  return {
    file,
    servers: Object.entries(config.servers).map(([name, server]) => ({
      name,
      ...showServer(server, secrets),
      disabled: server.disabled,
      instances: server.instances,
      concurrency: server.concurrency,
      era: server.era,
      timeoutMs: server.timeoutMs,
      upstreamAuth: upstreamAuthKind(server),
    })),
    toolsets: Object.entries(config.toolsets).map(([name, { tools }]) => ({ name, tools: masked(tools) })),
    agents: Object.entries(config.agents).map(([name, { keys, allow, deny, ips }]) => ({
      name,
      keys: keys.length,
      allow: masked(allow),
      deny: masked(deny),
      ips: masked(ips),
    })),
    auth: config.auth.mode,
    audit: config.audit.mode,
    durability: auditDurability(config, url === undefined),
    listeners: {
      mcp: address(config.tls === undefined ? 'http' : 'https', runtime.host, runtime.port, '/mcp'),
      admin: address('http', runtime.adminHost, runtime.adminPort, ''),
    },
    nats:
      url === undefined
        ? { embedded: true, dataDir: runtime.dataDir }
        : { embedded: false, url: maskUrl(url, secrets) },
    warnings,
  };
}

function address(scheme: string, host: string, port: number, path: string): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 'any' : port}${path}`;
}

function render(report: CheckReport): string {
  const { nats } = report;
  const lines = [
    `config    ${clean(report.file)}`,
    `mcp       ${report.listeners.mcp}`,
    `admin     ${report.listeners.admin}`,
    `nats      ${nats.embedded ? `embedded, data in ${clean(nats.dataDir)}` : clean(nats.url)}`,
    `auth      ${report.auth}`,
    `audit     ${report.audit}, ${report.durability}`,
    '',
    `servers (${report.servers.length})`,
    ...table(
      report.servers.map((server) => [
        server.name,
        server.transport,
        load(server),
        `auth ${server.upstreamAuth}`,
        start(server),
      ]),
    ),
    ...report.servers.flatMap((server) => hidden(server)),
  ];
  if (report.toolsets.length > 0) {
    lines.push('', `toolsets (${report.toolsets.length})`);
    lines.push(...table(report.toolsets.map(({ name, tools }) => [name, tools.join(' ')])));
  }
  lines.push('', `agents (${report.agents.length})`);
  lines.push(
    ...table(
      report.agents.map(({ name, keys, allow, deny }) => [
        name,
        count(keys, 'key'),
        `allow ${allow.join(' ') || 'nothing'}${deny.length > 0 ? `, deny ${deny.join(' ')}` : ''}`,
      ]),
    ),
  );
  if (report.agents.length === 0 && report.auth === 'keys') {
    lines.push('  none: `toolbus up` on loopback makes a development key');
  }
  if (report.warnings.length > 0) {
    lines.push('', `warnings (${report.warnings.length})`, ...report.warnings.map((warning) => `  ${warning}`));
  }
  return `${lines.join('\n')}\n`;
}

function load(server: ServerReport): string {
  if (server.disabled) return 'disabled';
  return `${count(server.instances, 'instance')} × ${count(server.concurrency, 'call')}`;
}

function start(server: ServerReport): string {
  return (server.urls ?? [server.command ?? '', ...(server.args ?? [])]).join(' ');
}

function hidden({ name, env, headers }: ServerReport): string[] {
  const names = Object.entries(env ?? headers ?? {}).map(([key, value]) => `${key}=${value}`);
  return names.length === 0 ? [] : [clean(`  ${name}: ${env === undefined ? 'headers' : 'env'} ${names.join(' ')}`)];
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** Columns as wide as their widest cell, the last one free. */
function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(clean));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd());
}

/** What comes from the file must not steer the terminal. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
