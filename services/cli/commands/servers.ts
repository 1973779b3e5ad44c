import type { BlockEvent } from '../../../shared/bus/blocks.ts';
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
    const servers = names.map((name) => ({
      name,
      disabled: config.servers[name]?.disabled === true,
      configured: Object.hasOwn(config.servers, name),
      instances: core.catalog.instances(name),
      blocked: core.blocks.server(name),
    }));
    if (flags.json === true) {
      process.stdout.write(`${JSON.stringify({ servers })}\n`);
      return;
    }
    const rows = servers.flatMap(({ name, disabled, instances, blocked }) =>
      instances.length === 0
        ? [[name, '', disabled ? 'disabled' : 'no worker', '', '', '', '', '', blocked ? blockText(blocked) : '']]
        : instances.map((status) => rowOf(name, status, blocked)),
    );
    const header = ['server', 'instance', 'state', 'breaker', 'tools', 'in flight', 'via', 'version', 'last error'];
    process.stdout.write(`${table([header, ...rows])}\n`);
  });
  return exitCode.ok;
}

function rowOf(name: string, status: InstanceStatus, blocked: BlockEvent | undefined): string[] {
  return [
    name,
    status.instance,
    blocked === undefined ? status.state : 'blocked',
    status.breaker,
    String(status.tools),
    `${status.inFlight}/${status.concurrency}`,
    `${status.transport} ${status.protocolVersion ?? ''}`.trim(),
    status.serverVersion ?? '',
    [blocked && blockText(blocked), status.lastError, status.hint].filter((text) => text !== undefined).join('; '),
  ];
}
