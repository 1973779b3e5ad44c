import { LRUCache } from 'lru-cache';
import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import { type BlockList, nothingBlocked } from '../blocks/blocks.ts';
import { fullName, naturalName, separator } from '../catalog/names.ts';
import { anyOf, covers, type Matcher, reaches } from './patterns.ts';
import { allowedByScopes } from './scopes.ts';

/**
 * What one principal may use. Lists and calls ask the same object, so that neither shows what the other refuses.
 *
 * Patterns of agents and toolsets are read over `server__name`, deny wins, and nothing listed is nothing allowed. A tool or
 * prompt is meant by its own name or by the name agents see (`admin.list` is also `admin_list`). A resource is meant by
 * `server__URI`: `github__*` grants everything the server offers, `github__get_*` neither its resources nor other prompts,
 * `github__repo://*` the resources of that scheme. A method of the server's own invention is meant by `server__method`.
 */
export interface Policy {
  /** Equal for principals that may use the same. */
  readonly key: string;
  /** False: everything the servers offer. */
  readonly restricted: boolean;
  /** False when nothing of the server can be visible, whatever it offers. */
  seesServer(server: string): boolean;
  permitsTool(server: string, tool: string): boolean;
  permitsPrompt(server: string, prompt: string): boolean;
  permitsResource(server: string, uri: string): boolean;
  /** Of methods that MCP does not know. */
  permitsMethod(server: string, method: string): boolean;
}

/** The policies of one configuration. */
export interface Policies {
  of(principal: Principal): Policy;
  /** Undefined when the configuration names no such agent. */
  ofAgent(agent: string): Policy | undefined;
  readonly everything: Policy;
  /** What is left of a policy at the endpoint of a toolset; undefined when there is no such toolset or nothing is left. */
  within(policy: Policy, toolset: string): Policy | undefined;
  /** `servers.*.tools` over the server's own names: what no agent sees otherwise, whatever its rights. */
  offersTool(server: string, tool: string): boolean;
}

/** Sets of scopes whose rights are kept ready. */
const maxScopeSets = 1024;

interface Rules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Reads the rights out of a configuration. What is blocked nobody may use, whatever the rights. */
export function compilePolicies(config: Config, blocks: BlockList = nothingBlocked): Policies {
  const toolsets = new Map(Object.entries(config.toolsets).map(([name, toolset]) => [name, toolset.tools]));
  const agents = new Map(Object.entries(config.agents).map(([name, agent]) => [name, rulesOf(agent, toolsets)]));
  const offered = new Map(Object.entries(config.servers).map(([name, { tools }]) => [name, toolFilter(tools)]));
  const offersTool = (server: string, tool: string): boolean => offered.get(server)?.(tool) ?? true;
  const known = new Map<string, Policy>();
  const layersOf = new Map<Policy, readonly Rules[]>();
  const policy = (layers: readonly Rules[]): Policy => {
    const key = JSON.stringify(layers);
    const made = known.get(key) ?? createPolicy(key, layers, offersTool, blocks);
    known.set(key, made);
    layersOf.set(made, layers);
    return made;
  };
  const narrowings = new Map<Policy, Map<string, Policy>>();
  const everything = policy([]);
  const ofAgent = (agent: string): Policy | undefined => {
    const rules = agents.get(agent);
    return rules && policy([rules]);
  };
  const byAgent = new Map([...agents.keys()].map((agent) => [agent, ofAgent(agent)]));
  const nothing = policy([{ allow: [], deny: [] }]);
  const scoped = new LRUCache<string, Policy>({ max: maxScopeSets });
  /** The scopes of a token only ever take from the rights of its agent. */
  const withinScopes = (outer: Policy, scopes: readonly string[] | undefined): Policy => {
    if (scopes === undefined) return outer;
    const name = `${outer.key}\0${scopes.join(' ')}`;
    const known = scoped.get(name);
    if (known !== undefined) return known;
    const allow = allowedByScopes(scopes, config);
    const inner = policy([...(layersOf.get(outer) ?? []), rulesOf({ allow, deny: [] }, toolsets)]);
    scoped.set(name, inner);
    return inner;
  };
  return {
    everything,
    offersTool,
    ofAgent,
    of: (principal) =>
      principal.method === 'development' || principal.method === 'none'
        ? everything
        : withinScopes(byAgent.get(principal.id) ?? nothing, principal.scopes),
    within(outer, toolset) {
      const tools = toolsets.get(toolset);
      if (!tools) return undefined;
      const narrowed = narrowings.get(outer) ?? new Map<string, Policy>();
      narrowings.set(outer, narrowed);
      const inner = narrowed.get(toolset) ?? policy([...(layersOf.get(outer) ?? []), { allow: tools, deny: [] }]);
      narrowed.set(toolset, inner);
      const servers = [...offered.keys()];
      return servers.length === 0 || servers.some(inner.seesServer) ? inner : undefined;
    },
  };
}

/** An entry of `allow` or `deny` that is the name of a toolset stands for its patterns. */
function rulesOf(rules: Rules, toolsets: ReadonlyMap<string, readonly string[]>): Rules {
  const expand = (entries: readonly string[]) =>
    [...new Set(entries.flatMap((entry) => toolsets.get(entry) ?? [entry]))].sort();
  return { allow: expand(rules.allow), deny: expand(rules.deny) };
}

function toolFilter(rules: Rules): Matcher {
  const allowed = anyOf(rules.allow);
  const denied = anyOf(rules.deny);
  return (tool) => allowed(tool) && !denied(tool);
}

function createPolicy(
  key: string,
  layers: readonly Rules[],
  offersTool: Policies['offersTool'],
  blocks: BlockList,
): Policy {
  const matchers = layers.map(({ allow, deny }) => ({ allowed: anyOf(allow), denied: anyOf(deny) }));
  const permits = (own: string, seen: string): boolean =>
    matchers.every(({ allowed, denied }) =>
      own === seen ? allowed(own) && !denied(own) : (allowed(own) || allowed(seen)) && !denied(own) && !denied(seen),
    );
  const permitsNamed = (server: string, name: string): boolean =>
    matchers.length === 0 || permits(fullName(server, name), naturalName(server, name));
  const permitsExactly = (server: string, name: string): boolean => {
    const full = fullName(server, name);
    return permits(full, full);
  };
  return {
    key,
    restricted: layers.length > 0,
    seesServer(server) {
      if (blocks.server(server) !== undefined) return false;
      const prefix = server + separator;
      return layers.every(
        ({ allow, deny }) =>
          allow.some((pattern) => reaches(pattern, prefix)) && !deny.some((pattern) => covers(pattern, prefix)),
      );
    },
    permitsTool: (server, tool) =>
      blocks.tool(server, tool) === undefined && offersTool(server, tool) && permitsNamed(server, tool),
    permitsPrompt: permitsNamed,
    permitsResource: permitsExactly,
    permitsMethod: permitsExactly,
  };
}
