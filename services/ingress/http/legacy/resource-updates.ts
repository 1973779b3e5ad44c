import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { ResourceWatch } from '../edge.ts';

/** The resources one open stream is told about. URIs are the agent's. */
export interface Subscriptions {
  add(uri: string): void;
  remove(uri: string): void;
  /** Looks again where each URI leads, after a change of the catalog. */
  refresh(): void;
  close(): void;
}

interface Subscription {
  readonly agentUri: string;
  readonly server: string;
  readonly uri: string;
  readonly release: () => void;
}

/** Carries `notifications/resources/updated` from servers to the open streams of this ingress. */
export interface ResourceUpdates {
  /** `updated` gets the notification's params with the URI the agent knows. */
  open(session: LegacySession, updated: (params: JsonObject) => void): Subscriptions;
  close(): void;
}

export function createResourceUpdates(resources: ResourceWatch, catalog: Catalog): ResourceUpdates {
  /** By server, so that an update looks only at those it may concern. */
  const byServer = new Map<string, Map<Subscription, (params: JsonObject) => void>>();

  const stopListening = resources.onUpdated((server, params) => {
    const { uri } = params;
    if (typeof uri !== 'string') return;
    for (const [subscription, updated] of byServer.get(server) ?? []) {
      // It may be a sub-resource of the one subscribed to (2025-11-25, schema, ResourceUpdatedNotification).
      if (uri !== subscription.uri && !uri.startsWith(`${subscription.uri.replace(/\/$/, '')}/`)) continue;
      updated({ ...params, uri: subscription.agentUri + uri.slice(subscription.uri.length) });
    }
  });

  return {
    open(session, updated) {
      const held = new Map<string, Subscription | undefined>();

      const drop = (subscription: Subscription | undefined) => {
        if (subscription === undefined) return;
        const listeners = byServer.get(subscription.server);
        listeners?.delete(subscription);
        if (listeners?.size === 0) byServer.delete(subscription.server);
        subscription.release();
      };
      const look = (agentUri: string, before: Subscription | undefined): Subscription | undefined => {
        const target = catalog.view(session.endpoint, session.principal)?.resource(agentUri);
        if (target?.server === before?.server && target?.target === before?.uri) return before;
        drop(before);
        if (target === undefined) return undefined;
        const { server, target: uri } = target;
        const subscription = { agentUri, server, uri, release: resources.watch(server, uri) };
        const listeners = byServer.get(server) ?? new Map<Subscription, (params: JsonObject) => void>();
        byServer.set(server, listeners.set(subscription, updated));
        return subscription;
      };

      return {
        add(uri) {
          if (!held.has(uri)) held.set(uri, look(uri, undefined));
        },
        remove(uri) {
          drop(held.get(uri));
          held.delete(uri);
        },
        refresh() {
          for (const [uri, subscription] of held) held.set(uri, look(uri, subscription));
        },
        close() {
          for (const subscription of held.values()) drop(subscription);
          held.clear();
        },
      };
    },
    close: stopListening,
  };
}
