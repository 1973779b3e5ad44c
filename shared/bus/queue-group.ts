import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Subjects } from './subjects.ts';

/** The subscriptions by which a worker takes offers that anyone of its server may take. */
export interface QueueGroup {
  /** Takes offers of these tools, and of every other method. */
  join(tools: ReadonlySet<string>): void;
  leave(): void;
  /** False for a tool that this worker does not have, although others of its server may. */
  has(tool: string): boolean;
}

export function createQueueGroup(
  nc: NatsConnection,
  subjects: Subjects,
  server: string,
  onOffer: (error: Error | null, message: Msg) => void,
): QueueGroup {
  const group = new Map<string, Subscription>();
  let joined: ReadonlySet<string> = new Set();
  return {
    join(tools) {
      joined = tools;
      const wanted = new Set<string>([subjects.rpcs(server)]);
      for (const tool of tools) wanted.add(subjects.tool(server, tool));
      for (const [subject, subscription] of group) {
        if (wanted.has(subject)) continue;
        subscription.unsubscribe();
        group.delete(subject);
      }
      for (const subject of wanted) {
        if (!group.has(subject))
          group.set(subject, nc.subscribe(subject, { queue: subjects.group(server), callback: onOffer }));
      }
    },
    leave() {
      // Drained, so that an offer on its way is answered `busy` instead of costing its call the time in which nobody accepts.
      for (const subscription of group.values()) subscription.drain().catch(() => undefined);
      group.clear();
    },
    has: (tool) => group.size === 0 || joined.has(tool),
  };
}
