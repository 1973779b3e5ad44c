import type { InstanceStatus, Manifest } from '../../../shared/mcp/manifest.ts';
import { cleanText } from './clean-text.ts';
import { separator } from './names.ts';

const maxOwn = 16_384;
const maxPerServer = 2_048;

/** A server's own instructions, cleaned and bounded. */
export function instructionsOf(manifest: Manifest | undefined, max: number = maxOwn): string | undefined {
  const { instructions } = manifest ?? {};
  if (typeof instructions !== 'string' || instructions.trim() === '') return undefined;
  const text = cleanText(instructions.slice(0, 2 * max)).trim();
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

export interface ServerState {
  readonly name: string;
  readonly manifest: Manifest | undefined;
  readonly instances: readonly InstanceStatus[];
}

/** What an aggregate endpoint says: how names are made, what is down, and each server's own words while there is room. */
export function joinInstructions(servers: readonly ServerState[]): string {
  const paragraphs = [
    `toolbus joins the tools of several servers; a tool's name is <server>${separator}<tool>.`,
    ...unavailable(servers),
  ];
  let room = maxOwn;
  for (const { name, manifest } of servers) {
    const own = instructionsOf(manifest, maxPerServer);
    if (own === undefined || own.length > room) continue;
    room -= own.length;
    paragraphs.push(`${name}: ${own}`);
  }
  return paragraphs.join('\n\n');
}

function unavailable(servers: readonly ServerState[]): string[] {
  const names = servers.flatMap(({ name, instances }) => {
    const state = outage(instances);
    return state === undefined ? [] : [`${name} (${state})`];
  });
  return names.length === 0 ? [] : [`Not available now: ${names.join(', ')}.`];
}

/** Why no worker of a server would take a call; undefined when one would. */
export function outage(instances: readonly InstanceStatus[]): 'down' | 'failed' | 'starting' | undefined {
  if (instances.some(({ state }) => state === 'ready')) return undefined;
  if (instances.some(({ state }) => state === 'starting')) return 'starting';
  return instances.some(({ state }) => state === 'failed') ? 'failed' : 'down';
}
