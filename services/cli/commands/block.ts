import { hostname, userInfo } from 'node:os';
import { type BlockEvent, type BlockKind, blockKinds, maxBlockText } from '../../../shared/bus/blocks.ts';
import { nearest, showName } from '../../../shared/config/problems.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import type { Core } from '../../ingress/core.ts';
import type { CommonFlags } from '../flags.ts';
import { table } from '../output/table.ts';
import { withCore } from './with-core.ts';

export interface BlockFlags extends CommonFlags {
  readonly reason?: string | undefined;
  /** Block a name that nobody knows here. */
  readonly force?: boolean | undefined;
}

/** `toolbus block [agent|server|tool NAME]`: blocks it on every ingress, or lists what is blocked. Exit code 5 for a name nobody knows. */
export async function runBlock(kind: string | undefined, name: string | undefined, flags: BlockFlags): Promise<number> {
  if (kind === undefined) return list(flags);
  return turn(kindOf(kind), nameOf(kind, name), true, flags);
}

/** `toolbus unblock agent|server|tool NAME`. Exit code 5 when it is not blocked. */
export async function runUnblock(kind: string, name: string, flags: BlockFlags): Promise<number> {
  return turn(kindOf(kind), nameOf(kind, name), false, flags);
}

async function list(flags: BlockFlags): Promise<number> {
  await withCore(flags, async ({ blocks }) => {
    const blocked = blocks.list();
    if (flags.json === true) {
      process.stdout.write(`${JSON.stringify({ blocked })}\n`);
    } else if (blocked.length === 0) {
      process.stdout.write('nothing is blocked\n');
    } else {
      const rows = blocked.map(({ kind, name, at, by, reason }) => [
        kind,
        showName(name),
        new Date(at).toISOString(),
        showName(by),
        showName(reason ?? ''),
      ]);
      process.stdout.write(`${table([['what', 'name', 'since', 'by', 'reason'], ...rows])}\n`);
    }
  });
  return exitCode.ok;
}

async function turn(kind: BlockKind, name: string, blocked: boolean, flags: BlockFlags): Promise<number> {
  const { reason } = flags;
  if (reason !== undefined && reason.length > maxBlockText) {
    throw new OperatorError(exitCode.usage, `--reason is longer than ${maxBlockText} characters`);
  }
  await withCore(flags, async (core, config) => {
    const own = kind === 'tool' ? ownToolName(core, name) : name;
    const block = core.blocks.list().find((one) => one.kind === kind && one.name === own);
    if (blocked) requireKnown(kind, name, own, core, config, flags);
    else if (block === undefined) {
      throw new OperatorError(exitCode.toolFailed, `the ${kind} ${showName(name)} is not blocked`, {
        hint: '`toolbus block` lists what is',
      });
    }
    const event: BlockEvent = { kind, name: own, blocked, reason, by: operatorName(), at: Date.now() };
    await core.putBlock(event);
    if (flags.json === true) process.stdout.write(`${JSON.stringify(event)}\n`);
    else
      process.stdout.write(`${kind} ${showName(name)} ${blocked ? `is blocked: ${effect[kind]}` : 'is free again'}\n`);
  });
  return exitCode.ok;
}

const effect: Readonly<Record<BlockKind, string>> = {
  agent: 'its requests are answered 403 and its streams end; calls in flight finish',
  server: 'nobody sees it; calls in flight finish',
  tool: 'nobody sees it; calls in flight finish',
};

function kindOf(text: string): BlockKind {
  const kind = blockKinds.find((one) => one === text);
  if (kind !== undefined) return kind;
  const near = nearest(text, blockKinds);
  throw new OperatorError(exitCode.usage, `block an agent, a server or a tool, not ${JSON.stringify(showName(text))}`, {
    hint: near === undefined ? 'toolbus block agent|server|tool NAME [--reason TEXT]' : `did you mean ${near}?`,
  });
}

function nameOf(kind: string, name: string | undefined): string {
  if (name !== undefined && name !== '' && name.length <= 512) return name;
  throw new OperatorError(exitCode.usage, `which ${kind}? Give its name`);
}

/** Operators name a tool as agents see it; what is blocked is the server's own tool, whatever name collisions do to that name. */
function ownToolName({ catalog }: Core, name: string): string {
  const row = catalog.describe({ all: true }).find((one) => one.name === name);
  return row === undefined ? name : `${row.server}__${row.tool}`;
}

/** A misspelt name would feel safe and block nothing. */
function requireKnown(
  kind: BlockKind,
  name: string,
  own: string,
  { catalog, announced }: Core,
  config: Config,
  flags: BlockFlags,
): void {
  if (flags.force === true) return;
  // With OAuth and without configured agents, ids come from elsewhere.
  if (kind === 'agent' && config.auth.mode !== 'keys') return;
  const known: Readonly<Record<BlockKind, () => string[]>> = {
    agent: () => [...Object.keys(config.agents), 'development'],
    server: () => [...Object.keys(config.servers), ...announced()],
    tool: () => catalog.describe({ all: true }).flatMap((row) => [row.name, `${row.server}__${row.tool}`]),
  };
  const names = known[kind]();
  if (names.includes(own)) return;
  const near = nearest(name, names);
  throw new OperatorError(exitCode.toolFailed, `no ${kind} is called ${JSON.stringify(showName(name))}`, {
    hint: near === undefined ? 'to block it all the same: --force' : `did you mean ${near}? Otherwise: --force`,
  });
}

/** Who turns a switch: `user@host`. */
export function operatorName(): string {
  let user = 'unknown';
  try {
    user = userInfo().username;
  } catch {
    // A container's user may have no name.
    user = `uid${process.getuid?.() ?? ''}`;
  }
  return `${user}@${hostname()}`;
}
