import type { JsonObject } from '../../../../shared/mcp/json.ts';
import type { StandalonePlace } from '../../sessions/event-ids.ts';
import type { LegacySession } from '../../sessions/legacy-session.ts';
import { type ListDigests, listDigests } from '../../sessions/list-digests.ts';
import type { EdgeDeps } from '../edge.ts';
import { createResourceUpdates, type Subscriptions } from '../resource-updates.ts';

/** What an agent is told without asking: that a list changed, that a resource it subscribed to changed. */
export interface Notices {
  /** Tells one open stream from now on; `send` takes JSON text and what the agent knows once it has read it. */
  open(session: LegacySession, send: (message: string, place: StandalonePlace) => void): StreamNotices;
  close(): void;
}

export interface StreamNotices extends Pick<Subscriptions, 'add' | 'remove' | 'close'> {
  /** Tells what an agent that had read as far as `place` has missed. Its subscriptions must be there already. */
  catchUp(place: StandalonePlace): void;
  place(): StandalonePlace;
}

const notificationOf: readonly (readonly [keyof ListDigests, string])[] = [
  ['tools', notification('notifications/tools/list_changed')],
  ['prompts', notification('notifications/prompts/list_changed')],
  ['resources', notification('notifications/resources/list_changed')],
];

const nothing: ListDigests = { tools: '', prompts: '', resources: '' };

interface OpenStream {
  /** Compares the lists with what the agent was told of them. */
  look(): void;
}

export function createNotices({ catalog, resources }: Pick<EdgeDeps, 'catalog' | 'resources'>): Notices {
  const streams = new Set<OpenStream>();
  const updates = createResourceUpdates(resources, catalog);
  const stopListening = catalog.onChange(() => {
    for (const stream of streams) stream.look();
  });

  return {
    open(session, send) {
      const listsNow = () => {
        const view = catalog.view(session.endpoint, session.principal);
        return view && listDigests(view);
      };
      let lists = listsNow() ?? nothing;
      const place = (): StandalonePlace => ({ updates: subscriptions.position(), lists });
      const subscriptions = updates.open(session, (params) =>
        send(notification('notifications/resources/updated', params), place()),
      );
      const compare = () => {
        const now = listsNow();
        // Between the removal and the return of a server its endpoint is gone; the lists before that are still what the agent knows.
        if (now === undefined) return;
        for (const [kind, message] of notificationOf) {
          if (now[kind] === lists[kind]) continue;
          // One by one: whoever reads the first and loses the second must be told of the second again.
          lists = { ...lists, [kind]: now[kind] };
          send(message, place());
        }
      };
      const stream: OpenStream = {
        look() {
          compare();
          subscriptions.refresh();
        },
      };
      streams.add(stream);
      return {
        add: subscriptions.add,
        remove: subscriptions.remove,
        place,
        catchUp(from) {
          lists = from.lists;
          subscriptions.catchUp(from.updates);
          compare();
        },
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
