import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { ListKind, View } from '../../catalog/catalog.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import type { EdgeDeps } from '../edge.ts';
import { createResourceUpdates, type Subscriptions } from './resource-updates.ts';

/** What an agent is told without asking: that a list changed, that a resource it subscribed to changed. */
export interface Notices {
  /** Tells one open stream from now on; `send` takes JSON text. */
  open(session: LegacySession, send: (message: string) => void): Subscriptions;
  close(): void;
}

type ListVersions = View['listVersions'];

/** Templates have no notification of their own; they belong to `resources`. */
const notificationOf: readonly (readonly [string, readonly ListKind[]])[] = [
  ['notifications/tools/list_changed', ['tools']],
  ['notifications/prompts/list_changed', ['prompts']],
  ['notifications/resources/list_changed', ['resources', 'resourceTemplates']],
];

interface OpenStream {
  readonly session: LegacySession;
  readonly subscriptions: Subscriptions;
  versions: ListVersions | undefined;
  send(message: string): void;
}

export function createNotices({ catalog, resources }: Pick<EdgeDeps, 'catalog' | 'resources'>): Notices {
  const streams = new Set<OpenStream>();
  const updates = createResourceUpdates(resources, catalog);

  const versionsOf = ({ endpoint, principal }: LegacySession) => catalog.view(endpoint, principal)?.listVersions;

  const compare = (stream: OpenStream) => {
    const now = versionsOf(stream.session);
    const before = stream.versions;
    // Between the removal and the return of a server its endpoint is gone; the lists before that are still what the agent knows.
    if (now === undefined) return;
    stream.versions = now;
    if (before === undefined) return;
    for (const [method, kinds] of notificationOf) {
      if (kinds.some((kind) => now[kind] !== before[kind])) stream.send(notification(method));
    }
  };
  const stopListening = catalog.onChange(() => {
    for (const stream of streams) {
      compare(stream);
      stream.subscriptions.refresh();
    }
  });

  return {
    open(session, send) {
      const subscriptions = updates.open(session, (params) =>
        send(notification('notifications/resources/updated', params)),
      );
      const stream: OpenStream = { session, subscriptions, versions: versionsOf(session), send };
      streams.add(stream);
      return {
        ...subscriptions,
        close() {
          streams.delete(stream);
          subscriptions.close();
        },
      };
    },
    close() {
      stopListening();
      updates.close();
    },
  };
}

function notification(method: string, params?: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}
