import type { Watch } from '../../../shared/bus/interest.ts';
import type { FeedPosition, ResourceUpdate } from '../../../shared/bus/resource-events.ts';
import type { Principal } from '../../../shared/mcp/call.ts';
import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Endpoint } from '../request.ts';
import type { ResourceWatch } from './edge.ts';

/** Who is told, and what they may know of. */
export interface UpdateReader {
  readonly endpoint: Endpoint;
  readonly principal: Principal;
}

/** The resources one open stream is told about. URIs are the agent's. */
export interface Subscriptions {
  /** Resolves when the server's worker has subscribed, or has not within a second. */
  add(uri: string): Promise<void>;
  remove(uri: string): void;
  /** Looks again where each URI leads, after a change of the catalog. */
  refresh(): void;
  /** Tells what happened after that position; where that is not known, of each resource that it may have changed. */
  catchUp(since: FeedPosition): void;
  /** After the newest update that this stream was told or needs not be told. */
  position(): FeedPosition;
  close(): void;
}

/** Carries `notifications/resources/updated` from servers to the open streams of this ingress, of both eras. */
export interface ResourceUpdates {
  /** `updated` gets the notification's params with the URI the agent knows. */
  open(reader: UpdateReader, updated: (params: JsonObject) => void): Subscriptions;
  close(): void;
}

interface Subscription {
  readonly agentUri: string;
  readonly server: string;
  readonly uri: string;
  readonly watch: Watch;
  readonly follower: Follower;
}

interface Follower {
  at: FeedPosition;
  take(subscription: Subscription, update: ResourceUpdate): boolean;
}

export function createResourceUpdates(source: ResourceWatch, catalog: Catalog): ResourceUpdates {
  /** By server and URI, so that an update looks only at those it concerns. */
  const subscribed = new Map<string, Set<Subscription>>();

  const deliver = (update: ResourceUpdate, only?: Follower) => {
    const { uri } = update.params;
    if (typeof uri !== 'string') return;
    // Two subscriptions of one stream may hold the resource; it is one message all the same.
    const told = new Set<Follower>();
    for (const place of placesOf(uri)) {
      for (const subscription of [...(subscribed.get(keyOf(update.server, place)) ?? [])]) {
        const { follower } = subscription;
        if ((only !== undefined && follower !== only) || told.has(follower)) continue;
        if (follower.take(subscription, update)) told.add(follower);
      }
    }
  };
  const stopListening = source.onUpdated((update) => deliver(update));

  return {
    open({ endpoint, principal }, updated) {
      const held = new Map<string, Subscription | undefined>();
      let catchingUp = false;
      const targetOf = (agentUri: string) => catalog.view(endpoint, principal)?.resource(agentUri);
      const follower: Follower = {
        at: source.position(),
        take({ agentUri, server, uri }, { params, at }) {
          if (at.epoch === follower.at.epoch && at.seq <= follower.at.seq) return false;
          // Rights and catalog as they are now: a change of them is told a moment later.
          const target = targetOf(agentUri);
          if (target?.server !== server || target.target !== uri) return false;
          follower.at = at;
          updated({ ...params, uri: agentUri + String(params['uri']).slice(uri.length) });
          return true;
        },
      };

      const drop = (subscription: Subscription | undefined) => {
        if (subscription === undefined) return;
        const key = keyOf(subscription.server, subscription.uri);
        const at = subscribed.get(key);
        at?.delete(subscription);
        if (at?.size === 0) subscribed.delete(key);
        subscription.watch.release();
      };
      const look = (agentUri: string, before: Subscription | undefined): Subscription | undefined => {
        const target = targetOf(agentUri);
        if (target?.server === before?.server && target?.target === before?.uri) return before;
        drop(before);
        if (target === undefined) return undefined;
        const { server, target: uri } = target;
        const subscription = { agentUri, server, uri, watch: source.watch(server, uri), follower };
        const key = keyOf(server, uri);
        subscribed.set(key, (subscribed.get(key) ?? new Set<Subscription>()).add(subscription));
        return subscription;
      };

      return {
        async add(uri) {
          const subscription = held.get(uri) ?? look(uri, undefined);
          held.set(uri, subscription);
          await subscription?.watch.active;
        },
        remove(uri) {
          drop(held.get(uri));
          held.delete(uri);
        },
        refresh() {
          for (const [uri, subscription] of held) held.set(uri, look(uri, subscription));
        },
        catchUp(since) {
          const missed = source.since(since);
          follower.at = since;
          catchingUp = true;
          if (missed !== undefined) for (const update of missed) deliver(update, follower);
          else for (const one of held.values()) if (one !== undefined) updated({ uri: one.agentUri });
          catchingUp = false;
          follower.at = newer(follower.at, source.position());
        },
        position: () => (catchingUp ? follower.at : newer(follower.at, source.position())),
        close() {
          for (const subscription of held.values()) drop(subscription);
          held.clear();
        },
      };
    },
    close: stopListening,
  };
}

/** An ingress may be a moment behind the one that the agent comes from. */
function newer(told: FeedPosition, now: FeedPosition): FeedPosition {
  return told.epoch === now.epoch && told.seq > now.seq ? told : now;
}

function keyOf(server: string, uri: string): string {
  return `${server}\n${uri}`;
}

/**
 * The URI itself, and what holds it: the changed resource may be a sub-resource of the one subscribed to (2025-11-25, schema,
 * ResourceUpdatedNotification).
 */
function placesOf(uri: string): string[] {
  const places = [uri];
  for (let at = uri.lastIndexOf('/'); at > 0; at = uri.lastIndexOf('/', at - 1)) {
    if (at < uri.length - 1) places.push(uri.slice(0, at + 1));
    places.push(uri.slice(0, at));
  }
  return places;
}
