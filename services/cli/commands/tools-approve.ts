import type { Pin } from '../../../shared/bus/pins.ts';
import { showName } from '../../../shared/config/problems.ts';
import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { type Difference, differencesOf } from '../../ingress/catalog/pins/difference.ts';
import { fingerprint, pinnedParts } from '../../ingress/catalog/pins/fingerprint.ts';
import type { PinState } from '../../ingress/catalog/pins/pin-board.ts';
import { pinModeOf } from '../../ingress/catalog/withheld.ts';
import type { Core } from '../../ingress/core.ts';
import type { CommonFlags } from '../flags.ts';
import { table } from '../output/table.ts';
import { operatorName } from './block.ts';
import { withCore } from './with-core.ts';

export interface ApproveFlags extends CommonFlags {
  /** Approve only a definition with this hash, as `tools inspect` showed it. */
  readonly hash?: string | undefined;
}

/**
 * `toolbus tools approve SERVER [TOOL]`, or `server__tool`: makes the definitions of now those that agents may rely on. Exit code 5 for
 * a tool or server that nobody knows, or whose definition has another hash than the given one.
 */
export async function runToolsApprove(first: string, second: string | undefined, flags: ApproveFlags): Promise<number> {
  return withCore(flags, async (core, config) => {
    const { server, wanted } = meant(first, second, core, config);
    const approved: { tool: string; hash: string; state: PinState }[] = [];
    for (const { target, definition } of core.catalog.tools(server)) {
      if (wanted !== undefined && target !== wanted) continue;
      const hash = fingerprint(definition);
      if (flags.hash !== undefined && flags.hash !== hash) throw changedAgain(target);
      const state = core.pins.state(server, target, definition);
      // Alone, `approve SERVER` accepts what changed; a tool that is named is pinned in any case.
      if (state === 'same' || (state === 'unpinned' && wanted === undefined)) continue;
      await core.putPin({
        server,
        tool: target,
        hash,
        definition: pinnedParts(definition),
        by: operatorName(),
        at: Date.now(),
      });
      approved.push({ tool: target, hash, state });
    }
    if (flags.json === true) process.stdout.write(`${JSON.stringify({ server, approved })}\n`);
    else if (approved.length === 0) process.stdout.write('nothing has changed\n');
    else {
      const rows = approved.map(({ tool, hash }) => [showName(tool), hash]);
      process.stdout.write(`${table([['approved', 'hash'], ...rows])}\n`);
    }
    return exitCode.ok;
  });
}

/** The pin of a tool as `tools inspect` shows it. */
export interface ShownPin {
  readonly mode: string;
  readonly state: PinState;
  /** Of the definition as it is now: what `approve --hash` takes. */
  readonly hash: string;
  readonly pinned?: Pick<Pin, 'hash' | 'by' | 'at'>;
  readonly differences?: readonly Difference[];
}

/** Undefined for a tool whose definition did not pass the checks. */
export function pinOf(core: Core, config: Config, server: string, tool: string): ShownPin | undefined {
  const definition = core.catalog.tools(server).find(({ target }) => target === tool)?.definition;
  if (definition === undefined) return undefined;
  const pin = core.pins.pin(server, tool);
  const state = core.pins.state(server, tool, definition);
  return {
    mode: pinModeOf(config, server),
    state,
    hash: fingerprint(definition),
    ...(pin === undefined ? {} : { pinned: { hash: pin.hash, by: pin.by, at: pin.at } }),
    ...(state === 'changed' && pin?.definition !== undefined
      ? { differences: differencesOf(pin.definition, pinnedParts(definition)) }
      : {}),
  };
}

function meant(
  first: string,
  second: string | undefined,
  core: Core,
  config: Config,
): { server: string; wanted?: string } {
  const row = core.catalog.describe({ all: true }).find(({ name }) => name === first);
  if (second === undefined && row !== undefined) return { server: row.server, wanted: row.tool };
  if (!Object.hasOwn(config.servers, first)) {
    throw new OperatorError(exitCode.toolFailed, `no server or tool is called ${showName(first)}`, {
      hint: '`toolbus tools ls --all` lists them',
    });
  }
  if (second === undefined) return { server: first };
  const known = core.catalog.describe({ all: true, server: first });
  const tool = known.find(({ name, tool: own }) => own === second || name === second)?.tool;
  if (tool === undefined || !core.catalog.tools(first).some(({ target }) => target === tool)) {
    throw new OperatorError(
      exitCode.toolFailed,
      `the server ${showName(first)} has no usable tool ${showName(second)}`,
      {
        hint: `\`toolbus tools ls --all --server ${first}\` lists them`,
      },
    );
  }
  return { server: first, wanted: tool };
}

function changedAgain(tool: string): OperatorError {
  return new OperatorError(exitCode.toolFailed, `the definition of ${showName(tool)} has another hash than that`, {
    hint: 'look at it again with `toolbus tools inspect`',
  });
}
