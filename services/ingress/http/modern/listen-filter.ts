import { isJsonObject, type JsonObject, type JsonValue } from '../../../../shared/mcp/json.ts';
import type { View } from '../../catalog/catalog.ts';

/** One stream may watch this many resources; the acknowledgement leaves out the rest. */
const maxResources = 1_000;

/** What an agent asks to be told, and what we answer that it will be told. A type alias, so that it is JSON. */
export type SubscriptionFilter = {
  toolsListChanged?: boolean;
  promptsListChanged?: boolean;
  resourcesListChanged?: boolean;
  resourceSubscriptions?: string[];
  /** Of the tasks extension. */
  taskIds?: string[];
};

/** A resource to be watched: the agent's URI and where it leads. */
export interface WatchedResource {
  readonly uri: string;
  readonly server: string;
  readonly target: string;
}

export interface Honoured {
  readonly accepted: SubscriptionFilter;
  readonly resources: readonly WatchedResource[];
}

const lists = ['resourceSubscriptions', 'taskIds'] as const;
const flags = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged'] as const;

/** The filter of a request; undefined when it is none. Unknown members are ignored. */
export function readFilter(value: JsonValue | undefined): SubscriptionFilter | undefined {
  if (!isJsonObject(value)) return undefined;
  const filter: SubscriptionFilter = {};
  for (const flag of flags) {
    const wanted = value[flag];
    if (wanted === undefined) continue;
    if (typeof wanted !== 'boolean') return undefined;
    filter[flag] = wanted;
  }
  for (const list of lists) {
    const wanted = value[list];
    if (wanted === undefined) continue;
    if (!Array.isArray(wanted) || !wanted.every((one) => typeof one === 'string')) return undefined;
    filter[list] = wanted;
  }
  return filter;
}

/**
 * The part of a filter that this view can deliver: kinds whose servers announce changes, resources that lead somewhere. Which tasks there are only
 * their servers can tell.
 */
export function honoured(filter: SubscriptionFilter, view: View): Honoured {
  const accepted: SubscriptionFilter = {};
  const { tools, prompts, resources } = view.capabilities;
  if (filter.toolsListChanged === true && declares(tools, 'listChanged')) accepted.toolsListChanged = true;
  if (filter.promptsListChanged === true && declares(prompts, 'listChanged')) accepted.promptsListChanged = true;
  if (filter.resourcesListChanged === true && declares(resources, 'listChanged')) accepted.resourcesListChanged = true;
  const watched: WatchedResource[] = [];
  if (declares(resources, 'subscribe')) {
    for (const uri of new Set(filter.resourceSubscriptions)) {
      const target = watched.length < maxResources ? view.resource(uri) : undefined;
      if (target !== undefined) watched.push({ uri, server: target.server, target: target.target });
    }
  }
  if (watched.length > 0) accepted.resourceSubscriptions = watched.map(({ uri }) => uri);
  return { accepted, resources: watched };
}

function declares(capability: JsonValue | undefined, feature: string): boolean {
  const declared: JsonObject = isJsonObject(capability) ? capability : {};
  return declared[feature] === true;
}
