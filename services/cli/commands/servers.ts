import type { BlockEvent } from '../../../shared/bus/blocks.ts';
import { type UpstreamAuthKind, upstreamAuthKind } from '../../../shared/config/upstream-auth-kind.ts';
import { exitCode } from '../../../shared/errors.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { blockText } from '../../ingress/blocks/blocks.ts';
import type { CommonFlags } from '../flags.ts';
import { table } from '../output/table.ts';
import { withCore } from './with-core.ts';

/** `toolbus servers`: what runs, how it is, and why not. */
export async function runServers(flags: CommonFlags): Promise<number> {
  await withCore(flags, async (core, config) => {
    const names = [...new Set([...Object.keys(config.servers), ...core.announced()])].sort();
    const servers = names.map((name) => {
      const own = Object.hasOwn(config.servers, name) ? config.servers[name] : undefined;
      return {
        name,
        disabled: own?.disabled === true,
        configured: own !== undefined,
        // Of a server that another file configures nobody here can tell.
        upstreamAuth: own && upstreamAuthKind(own),
        instances: core.catalog.instances(name),
        blocked: core.blocks.server(name),
      };
    });
    if (flags.json === true) {
      process.stdout.write(`${JSON.stringify({ servers })}\n`);
      return;
    }
    const rows = servers.flatMap(({ name, disabled, upstreamAuth, instances, blocked }) => {
      const state = disabled ? 'disabled' : 'no worker';
      return instances.length === 0
        ? [[name, '', state, '', '', '', '', upstreamAuth ?? '', '', blocked ? blockText(blocked) : '']]
        : instances.map((status) => rowOf(name, status, upstreamAuth, blocked));
    });
    const header = [
      'server',
      'instance',
      'state',
      'breaker',
      'tools',
      'in flight',
      'via',
      'auth',
      'version',
      'last error',
    ];
    process.stdout.write(`${table([header, ...rows])}\n`);
  });
  return exitCode.ok;
}

function rowOf(
  name: string,
  status: InstanceStatus,
  upstreamAuth: UpstreamAuthKind | undefined,
  blocked: BlockEvent | undefined,
): string[] {
  return [
    name,
    status.instance,
    blocked === undefined ? status.state : 'blocked',
    status.breaker,
    String(status.tools),
    `${status.inFlight}/${status.concurrency}`,
    `${status.transport} ${status.protocolVersion ?? ''}`.trim(),
    upstreamAuth ?? '',
    status.serverVersion ?? '',
    [blocked && blockText(blocked), status.lastError, status.hint].filter((text) => text !== undefined).join('; '),
  ];
}
