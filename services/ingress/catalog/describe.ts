import type { Config } from '../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { type BlockList, blockText } from '../blocks/blocks.ts';
import type { Policies } from '../policy/policy.ts';
import { cleanText } from './clean-text.ts';
import type { Directory } from './directory.ts';
import { fullName, naturalName } from './names.ts';
import type { Entry, Offering } from './offering.ts';
import type { Withholding } from './withheld.ts';

export interface ToolQuery {
  /** Through the eyes of this agent; otherwise of someone who may use everything. */
  readonly agent?: string | undefined;
  readonly server?: string | undefined;
  /** Hidden and quarantined tools too. */
  readonly all?: boolean | undefined;
}

/** What became of a tool that a server offers. */
export interface ToolRow {
  /** As agents see it, or would. */
  readonly name: string;
  readonly server: string;
  /** The server's own name. */
  readonly tool: string;
  readonly title?: string;
  readonly description: string;
  /** `changed`: its definition is not the pinned one, and agents do not get it. */
  readonly status: 'visible' | 'renamed' | 'hidden' | 'quarantined' | 'changed';
  /** Why it is not simply visible. */
  readonly reason?: string;
  /** Size of the definition: what it costs every agent that lists it. */
  readonly bytes: number;
}

interface Sources {
  readonly servers: readonly string[];
  readonly offerings: ReadonlyMap<string, Offering>;
  readonly policies: Policies;
  readonly aggregate: Directory;
  readonly blocks: BlockList;
  readonly withholding: Withholding;
  readonly config: Config;
}

/** Rows for `tools ls` and `tools inspect`, in the order of the lists. Throws OperatorError for an unknown agent or server. */
export function describeOfferings(
  { servers, offerings, policies, aggregate, blocks, withholding, config }: Sources,
  query: ToolQuery,
): ToolRow[] {
  const policy = query.agent === undefined ? policies.everything : policies.ofAgent(query.agent);
  if (!policy) throw new OperatorError(exitCode.usage, `the config names no agent "${cleanText(query.agent ?? '')}"`);
  if (query.server !== undefined && !servers.includes(query.server))
    throw new OperatorError(exitCode.usage, `the config names no server "${cleanText(query.server)}"`);
  const wanted = servers.filter((server) => query.server === undefined || server === query.server);

  const describe = (entry: Entry, listedAs: string | undefined): ToolRow => {
    const { server, target, definition, shown } = entry;
    const common = {
      name: listedAs ?? naturalName(server, target),
      server,
      tool: target,
      ...(typeof shown.title === 'string' ? { title: shown.title } : {}),
      description: typeof shown.description === 'string' ? shown.description : '',
      bytes: Buffer.byteLength(JSON.stringify(definition)),
    };
    const block = blocks.tool(server, target);
    if (block !== undefined)
      return { ...common, status: 'hidden', reason: cleanText(`${block.kind} ${block.name} is ${blockText(block)}`) };
    if (!policies.offersTool(server, target))
      return { ...common, status: 'hidden', reason: `servers.${server}.tools does not let it through` };
    if (!policy.permitsTool(server, target))
      return { ...common, status: 'hidden', reason: `agents.${query.agent} may not use it` };
    const withheld = withholding.of(entry, config);
    if (withheld !== undefined) return { ...common, ...withheld };
    const remark = withholding.remark(entry, config);
    if (common.name === fullName(server, target))
      return { ...common, status: 'visible', ...(remark === undefined ? {} : { reason: remark }) };
    const because = renamedBecause(server, target);
    return { ...common, status: 'renamed', reason: remark === undefined ? because : `${because}; ${remark}` };
  };
  return wanted.flatMap((server) => {
    const offering = offerings.get(server);
    if (!offering) return [];
    const names = new Map(aggregate.list('tools', [server]).map(({ entry, name }) => [entry, name]));
    const rows = offering.entries.tools.map((entry) => describe(entry, names.get(entry)));
    if (query.all !== true) return rows.filter(({ status }) => status === 'visible' || status === 'renamed');
    return [...rows, ...quarantineRows(server, offering)];
  });
}

function quarantineRows(server: string, offering: Offering): ToolRow[] {
  return offering.quarantined
    .filter(({ kind }) => kind === 'tools')
    .map(({ name, reason, bytes }) => ({
      name: naturalName(server, name),
      server,
      tool: name,
      description: '',
      status: 'quarantined',
      reason,
      bytes,
    }));
}

function renamedBecause(server: string, tool: string): string {
  const full = fullName(server, tool);
  if (/[^A-Za-z0-9_-]/.test(full)) return 'models take only A-Z a-z 0-9 _ - in a name';
  return full.length > 64 ? 'models take at most 64 characters in a name' : 'another tool has this name';
}
