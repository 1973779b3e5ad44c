import { createHash } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { followInterest, type Interest, type InterestOptions, type Watch } from './interest.ts';
import { readJsonObject } from './json-bytes.ts';
import type { Subjects } from './subjects.ts';

/**
 * Which tasks agents want to be told of (interest.ts), and that one of them has changed. What has become of it stands in no message of the bus: whoever
 * may know asks the server with `tasks/get`.
 */

/** A task as its server knows it, and the worker that is to follow it. */
export interface WatchedTask {
  readonly server: string;
  readonly instance: string;
  readonly task: string;
}

/** The ingress' side. */
export interface TaskWatch {
  watch(task: WatchedTask): Watch;
  /** A worker says that the task is not what it was. */
  onChanged(listener: (task: WatchedTask) => void): () => void;
  /** Any task may have changed unseen: the connection to NATS was broken. */
  onMissed(listener: () => void): () => void;
  close(): void;
}

const changedEvent = 'task_changed';
const kind = 'task';

export interface TaskWatchOptions {
  readonly nc: NatsConnection;
  readonly subjects: Subjects;
  readonly interest: Pick<Interest, 'watch'>;
}

export function createTaskWatch({ nc, subjects, interest }: TaskWatchOptions): TaskWatch {
  const changed = new Set<(task: WatchedTask) => void>();
  const missed = new Set<() => void>();
  let closed = false;

  const subscription = nc.subscribe(subjects.events(changedEvent), {
    callback: (error, message) => {
      const { server, instance, task } = (error === null ? readJsonObject(message.data) : undefined) ?? {};
      if (typeof server !== 'string' || typeof instance !== 'string' || typeof task !== 'string') return;
      // A worker may publish under the name of its own server only; what it writes in the message is not checked by NATS.
      if (message.subject !== subjects.event(server, changedEvent)) return;
      for (const listener of [...changed]) listener({ server, instance, task });
    },
  });
  const followStatus = async (): Promise<void> => {
    for await (const { type } of nc.status()) {
      if (closed) return;
      if (type === 'reconnect') for (const listener of [...missed]) listener();
    }
  };
  void followStatus();

  return {
    watch: ({ server, instance, task }) => interest.watch(server, nameOf(instance, task), { instance, task }),
    onChanged(listener) {
      changed.add(listener);
      return () => changed.delete(listener);
    },
    onMissed(listener) {
      missed.add(listener);
      return () => missed.delete(listener);
    },
    close() {
      closed = true;
      subscription.unsubscribe();
    },
  };
}

/** The worker's side. */
export interface WantedTasks {
  /** Tells every ingress that a task has changed. */
  changed(task: string): void;
  /** The upstream was away for a while: each task that somebody wants may have changed unseen. */
  missed(): void;
  close(): void;
}

export interface FollowWantedTasksOptions extends InterestOptions {
  readonly server: string;
  readonly instance: string;
  /** Resolves when these tasks of the upstream are followed and no others. */
  onChange(tasks: ReadonlySet<string>): Promise<void>;
}

export function followWantedTasks(options: FollowWantedTasksOptions): WantedTasks {
  const { nc, subjects, server, instance } = options;
  const changed = (task: string) => {
    if (!nc.isClosed()) nc.publish(subjects.event(server, changedEvent), JSON.stringify({ server, instance, task }));
  };
  const followed = followInterest({
    ...options,
    filter: `${kind}.>`,
    read: (entry) => (entry['instance'] === instance && typeof entry['task'] === 'string' ? entry['task'] : undefined),
    nameOf: (task) => nameOf(instance, task),
  });
  return {
    changed,
    missed() {
      for (const task of followed.wanted()) changed(task);
    },
    close: followed.close,
  };
}

function nameOf(instance: string, task: string): string {
  const digest = createHash('sha256').update(`${instance}\n${task}`).digest('base64url').slice(0, 22);
  return `${kind}.${digest}`;
}
