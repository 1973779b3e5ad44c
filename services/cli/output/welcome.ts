import path from 'node:path';
import type { LoadedConfig } from '../../../shared/config/load.ts';
import { toolbusVersion } from '../../../shared/version.ts';
import type { NatsServer } from '../../nats-server/start.ts';
import { showNats } from '../running.ts';
import type { Ready, ServerReport } from './ready.ts';
import { table } from './table.ts';

export interface Welcome extends Ready {
  readonly config: LoadedConfig;
  readonly natsServer: NatsServer | undefined;
  readonly warnings: readonly string[];
  readonly readyMs: number;
}

/** What `up` shows to a person: what runs where, the endpoint, the key, and an entry to paste into a client. */
export function welcome(facts: Welcome): string {
  const { mcp, admin, nats, key, servers, config, natsServer, warnings, readyMs } = facts;
  const tools = servers.reduce((sum, server) => sum + (server.tools ?? 0), 0);
  const where = config.bundled
    ? 'the bundled example; write a toolbus.yaml for your own servers'
    : path.relative('', config.file) || config.file;
  const lines = [
    `toolbus ${toolbusVersion()}  ready in ${(readyMs / 1000).toFixed(1)} s`,
    '',
    `  config   ${where}`,
    natsServer === undefined
      ? `  bus      ${showNats(nats)}`
      : `  bus      nats-server ${natsServer.version}, started on ${natsServer.url} (pid ${natsServer.pid})`,
    '',
    indent(table([['server', 'via', 'state', 'tools'], ...servers.map(serverRow)])),
    ...servers.flatMap(failureLines),
    '',
    `  MCP      ${mcp}   ${tools} tools`,
    `  admin    ${admin}   /readyz  /metrics`,
    ...(key === undefined
      ? []
      : [`  key      ${key}   (for this run; name agents in the configuration for lasting keys)`]),
    ...warnings.map((warning) => `  warning  ${warning}`),
    '',
    'Paste into a client (.mcp.json of Claude Code, ~/.cursor/mcp.json):',
    '',
    clientEntry(mcp, key ?? '<API key>'),
    '',
    'Ctrl-C stops everything.',
    '',
  ];
  return lines.join('\n');
}

function serverRow({ name, transport, status, tools, workers }: ServerReport): string[] {
  const state =
    status === 'ready' && (workers ?? 1) > 1 ? `ready ×${workers}` : status === 'failed' ? 'FAILED' : status;
  return [name, transport ?? '', state, tools === undefined ? '' : String(tools)];
}

function failureLines({ name, status, error, hint }: ServerReport): string[] {
  if (status !== 'failed') return [];
  return [`  ${name}: ${error ?? 'failed'}`, ...(hint === undefined ? [] : [`    hint: ${hint}`])];
}

function clientEntry(url: string, key: string): string {
  const entry = { mcpServers: { toolbus: { type: 'http', url, headers: { Authorization: `Bearer ${key}` } } } };
  return indent(JSON.stringify(entry, undefined, 2));
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
