import type { WatchedTask } from '../../../../shared/bus/task-watch.ts';
import type { EdgeDeps } from '../edge.ts';

type Tasks = EdgeDeps['tasks'];

/** Watched tasks, and changes of them that a test makes. */
export interface MemoryTasks extends Tasks {
  /** `server instance task` of what is watched now. */
  readonly watched: ReadonlySet<string>;
  changed(task: WatchedTask): void;
}

export function createMemoryTasks(): MemoryTasks {
  const watched = new Set<string>();
  const listeners = new Set<(task: WatchedTask) => void>();
  return {
    watched,
    watch({ server, instance, task }) {
      const name = `${server} ${instance} ${task}`;
      watched.add(name);
      return { active: Promise.resolve(), release: () => void watched.delete(name) };
    },
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onMissed: () => () => true,
    changed(task) {
      for (const listener of [...listeners]) listener(task);
    },
  };
}
