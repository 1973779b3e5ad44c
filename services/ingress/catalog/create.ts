import { LRUCache } from 'lru-cache';
import type { Config } from '../../../shared/config/schema.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import type { Sealer } from '../../../shared/seal.ts';
import { type BlockList, nothingBlocked } from '../blocks/blocks.ts';
import { compilePolicies, type Policies, type Policy } from '../policy/policy.ts';
import type { Endpoint } from '../request.ts';
import { mergeCacheHints, unionCapabilities } from './capabilities.ts';
import type { Catalog, View } from './catalog.ts';
import { createChangeSignal } from './change-signal.ts';
import { describeOfferings, type ToolQuery, type ToolRow } from './describe.ts';
import { aggregateDirectory, bareDirectory, type Directory } from './directory.ts';
import { createInstances } from './instances.ts';
import { instructionsOf, joinInstructions } from './instructions.ts';
import { createLinkMemory } from './links.ts';
import { createLister, type Lister } from './listed.ts';
import { type Entry, type Offering, type Quarantined, readManifest, usualDescription } from './offering.ts';
import type { PinBoard } from './pins/pin-board.ts';
import { createView, createViewLists, type Introduction, type ViewLists } from './view.ts';
import { createWithholding, type Withholding } from './withheld.ts';

export interface CatalogOptions {
  /** The configuration in force now. */
  config(): Config;
  /** For cursors. */
  readonly sealer: Sealer;
  /** Version of toolbus, for `serverInfo`. */
  readonly version?: string;
  /** The kill switch; `configChanged` must be called when it turned. */
  readonly blocks?: BlockList;
  /** Pinned definitions; `configChanged` must be called when they change. */
  readonly pins?: PinBoard;
  /** Definitions of a new manifest that are kept from agents. */
  onQuarantined?(server: string, quarantined: readonly Quarantined[]): void;
}

/** How many tools of a server agents do not get, and why. */
export interface WithheldCount {
  readonly server: string;
  readonly status: 'quarantined' | 'changed';
  readonly count: number;
}

/** The catalog together with the doors the bus and the configuration push through. */
export interface LiveCatalog extends Catalog {
  /** The configuration was replaced. */
  configChanged(): void;
  /** A heartbeat. */
  setInstance(status: InstanceStatus): void;
  /** A worker process is gone. */
  removeInstance(server: string, instance: string): void;
  /** Every tool and what became of it, for operators. Throws OperatorError for an agent or server nobody configured. */
  describe(query: ToolQuery): ToolRow[];
  /** A server's tools that passed the checks, whether or not agents get them. */
  tools(server: string): readonly Entry[];
  /** A tool whose definition turned out to be unusable. False where that was known. */
  condemn(definition: JsonObject, why: string): boolean;
  withheld(): readonly WithheldCount[];
  /** Calls no listener back any more. */
  close(): void;
}

/** For how many different sets of rights views are kept ready. */
const maxPolicies = 256;

interface KeptView {
  readonly lists: ViewLists;
  readonly view: View;
  /** Count of instance changes that the introduction knows of. */
  readonly seen: number;
}

/** Everything derived from one configuration and one set of manifests. Replaced as a whole when either changes. */
interface Generation {
  readonly config: Config;
  readonly policies: Policies;
  /** Configured, not disabled, sorted. */
  readonly servers: readonly string[];
  readonly aggregate: Directory;
  readonly bare: Map<string, Directory>;
  /** By rights, then by server; the empty name is the aggregate. */
  readonly views: LRUCache<Policy, Map<string, KeptView>>;
  offered(entry: Entry): boolean;
}

/** A catalog that holds nothing yet. It opens no connection; the bus pushes manifests and heartbeats into it. */
export function createCatalog(options: CatalogOptions): LiveCatalog {
  const { blocks = nothingBlocked } = options;
  const offerings = new Map<string, Offering>();
  const withholding = createWithholding(options.pins);
  const descriptionOf = (server: string): number => {
    const { servers } = options.config();
    const own = Object.hasOwn(servers, server) ? servers[server] : undefined;
    return own?.validation.descriptionCharacters ?? usualDescription;
  };
  const instances = createInstances();
  const links = createLinkMemory();
  const changes = createChangeSignal();
  const prefixed = createLister();
  const bare = createLister();
  let generation: Generation | undefined;
  let instanceChanges = 0;

  const current = (): Generation => {
    const config = options.config();
    if (generation?.config !== config) generation = createGeneration(config, offerings, prefixed, blocks, withholding);
    return generation;
  };
  const invalidate = (): void => {
    generation = undefined;
    changes.notify();
  };
  const configChanged = (): void => {
    for (const [server, { manifest, maxDescription }] of offerings) {
      const wanted = descriptionOf(server);
      if (wanted !== maxDescription) offerings.set(server, readManifest(server, manifest, wanted));
    }
    invalidate();
  };
  const instancesChanged = (changed: boolean): void => {
    if (!changed) return;
    instanceChanges += 1;
    changes.notify();
  };

  const introduce = (endpoint: Endpoint, servers: readonly string[]): Introduction => {
    const states = servers.map((name) => ({
      name,
      manifest: offerings.get(name)?.manifest,
      instances: instances.of(name),
    }));
    const manifests = states.flatMap(({ manifest }) => manifest ?? []);
    const capabilities = unionCapabilities(manifests);
    if (endpoint.kind === 'server') {
      const manifest = manifests[0];
      const serverInfo = manifest?.serverInfo ?? { name: endpoint.name, version: '0' };
      return { capabilities, instructions: instructionsOf(manifest), serverInfo };
    }
    return {
      capabilities: { tools: { listChanged: true }, ...capabilities },
      instructions: joinInstructions(states),
      serverInfo: { name: 'toolbus', version: options.version ?? '0' },
    };
  };

  const listsFor = (now: Generation, endpoint: Endpoint, policy: Policy): ViewLists => {
    const single = endpoint.kind === 'server';
    const shown = single ? [endpoint.name] : now.servers;
    const servers = shown.filter(policy.seesServer);
    const manifests = servers.flatMap((server) => offerings.get(server)?.manifest ?? []);
    return createViewLists({
      directory: single ? bareFor(now, endpoint.name, offerings.get(endpoint.name), bare) : now.aggregate,
      policy,
      servers,
      resourceServers: servers.filter((server) => single || servesResources(offerings.get(server))),
      single,
      cache: mergeCacheHints(manifests, differsByPrincipal(now.config)),
      sealer: options.sealer,
      links,
      withheld: servers.flatMap((server) => {
        const tools = offerings.get(server)?.entries.tools ?? [];
        return tools.filter((entry) => withholding.of(entry, now.config)?.status === 'changed');
      }),
    });
  };

  return {
    view(endpoint: Endpoint, principal: Principal): View | undefined {
      if (blocks.agent(principal.id) !== undefined) return undefined;
      const now = current();
      const policy = policyAt(now, endpoint, principal);
      if (!policy) return undefined;
      const views = now.views.get(policy) ?? new Map<string, KeptView>();
      const name = endpoint.kind === 'server' ? endpoint.name : '';
      const kept = views.get(name);
      if (kept?.seen === instanceChanges) return kept.view;
      const lists = kept?.lists ?? listsFor(now, endpoint, policy);
      const view = createView(lists, introduce(endpoint, lists.servers));
      now.views.set(policy, views.set(name, { lists, view, seen: instanceChanges }));
      return view;
    },
    setManifest(server, manifest) {
      const known = offerings.get(server);
      if (manifest ? known?.manifest.hash === manifest.hash : !known) return;
      if (manifest) {
        const offering = readManifest(server, manifest, descriptionOf(server));
        offerings.set(server, offering);
        if (offering.quarantined.length > 0) options.onQuarantined?.(server, offering.quarantined);
      } else offerings.delete(server);
      invalidate();
    },
    manifest: (server) => offerings.get(server)?.manifest,
    instances: instances.of,
    onChange: changes.listen,
    configChanged,
    setInstance: (status) => instancesChanged(instances.set(status)),
    removeInstance: (server, instance) => instancesChanged(instances.remove(server, instance)),
    describe(query) {
      const { servers, policies, aggregate, config } = current();
      return describeOfferings({ servers, offerings, policies, aggregate, blocks, withholding, config }, query);
    },
    tools: (server) => offerings.get(server)?.entries.tools ?? [],
    condemn(definition, why) {
      const isNew = withholding.condemn(definition, why);
      if (isNew) invalidate();
      return isNew;
    },
    withheld: () =>
      current().servers.flatMap((server) =>
        countWithheld(server, offerings.get(server), withholding, options.config()),
      ),
    close: changes.close,
  };
}

function createGeneration(
  config: Config,
  offerings: ReadonlyMap<string, Offering>,
  listEntry: Lister,
  blocks: BlockList,
  withholding: Withholding,
): Generation {
  const policies = compilePolicies(config, blocks);
  const configured = Object.entries(config.servers);
  const servers = configured.length === 0 ? [...offerings.keys()] : namesOf(configured);
  servers.sort();
  const offered = (entry: Entry) =>
    policies.offersTool(entry.server, entry.target) && withholding.of(entry, config) === undefined;
  const shown = new Map(servers.flatMap((server) => entriesOf(server, offerings.get(server))));
  return {
    config,
    policies,
    servers,
    aggregate: aggregateDirectory(shown, offered, listEntry),
    bare: new Map(),
    views: new LRUCache({ max: maxPolicies }),
    offered,
  };
}

function countWithheld(
  server: string,
  offering: Offering | undefined,
  withholding: Withholding,
  config: Config,
): WithheldCount[] {
  const late = (offering?.entries.tools ?? []).flatMap((entry) => withholding.of(entry, config)?.status ?? []);
  const early = (offering?.quarantined ?? []).filter(({ kind }) => kind === 'tools').map(() => 'quarantined' as const);
  const all = [...early, ...late];
  return (['quarantined', 'changed'] as const).map((status) => ({
    server,
    status,
    count: all.filter((one) => one === status).length,
  }));
}

function namesOf(configured: readonly [string, { readonly disabled: boolean }][]): string[] {
  return configured.filter(([, { disabled }]) => !disabled).map(([name]) => name);
}

function entriesOf(server: string, offering: Offering | undefined): [string, Offering][] {
  return offering ? [[server, offering]] : [];
}

function bareFor(now: Generation, server: string, offering: Offering | undefined, listEntry: Lister): Directory {
  const made = now.bare.get(server) ?? bareDirectory(server, offering, now.offered, listEntry);
  now.bare.set(server, made);
  return made;
}

/** The rights that hold at an endpoint; undefined when it does not exist for this principal. */
function policyAt(now: Generation, endpoint: Endpoint, principal: Principal): Policy | undefined {
  const policy = now.policies.of(principal);
  if (endpoint.kind === 'all') return policy;
  if (endpoint.kind === 'toolset') return now.policies.within(policy, endpoint.name);
  return now.servers.includes(endpoint.name) && policy.seesServer(endpoint.name) ? policy : undefined;
}

/** Lists that depend on who asks may not be kept by a cache that others use. */
function differsByPrincipal(config: Config): boolean {
  return config.auth.mode !== 'none' && Object.keys(config.agents).length > 0;
}

function servesResources(offering: Offering | undefined): boolean {
  if (!offering) return false;
  const { entries, manifest } = offering;
  return (
    entries.resources.length > 0 ||
    entries.resourceTemplates.length > 0 ||
    typeof manifest.capabilities.resources === 'object'
  );
}
