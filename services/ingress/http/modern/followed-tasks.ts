import type { Watch } from '../../../../shared/bus/interest.ts';
import type { WatchedTask } from '../../../../shared/bus/task-watch.ts';
import { isGone } from '../../methods/forward.ts';
import type { EdgeDeps } from '../edge.ts';

/** A task that one stream follows. */
export interface FollowedTask {
  /** Where it was made. */
  readonly address: WatchedTask;
  /** The worker that follows it: another one than made it, when that is gone. */
  at: WatchedTask;
  watch: Watch;
  /** It may have changed. */
  readonly onChanged: () => void;
}

/** The tasks that the streams of this ingress follow, and who follows them at their servers. */
export interface FollowedTasks {
  follow(address: WatchedTask, onChanged: () => void): FollowedTask;
  release(task: FollowedTask): void;
}

/** How often it is looked whether the workers that follow the tasks are still there. */
const lookMs = 2_000;

export function createFollowedTasks({ tasks, catalog }: Pick<EdgeDeps, 'tasks' | 'catalog'>): FollowedTasks {
  /** By the worker's own words, so that a change looks only at those it concerns. */
  const followed = new Map<string, Set<FollowedTask>>();
  let timer: NodeJS.Timeout | undefined;

  tasks.onChanged((task) => {
    for (const one of [...(followed.get(keyOf(task)) ?? [])]) one.onChanged();
  });
  tasks.onMissed(() => {
    for (const one of all()) one.onChanged();
  });

  function all(): FollowedTask[] {
    return [...followed.values()].flatMap((some) => [...some]);
  }

  /** Somebody has to follow the task, also when the worker that made it is gone: its server may keep tasks elsewhere. */
  function follower(address: WatchedTask): WatchedTask {
    const { server, instance } = address;
    const [first] = catalog.instances(server);
    return first !== undefined && isGone(server, instance, { catalog })
      ? { ...address, instance: first.instance }
      : address;
  }

  function add(one: FollowedTask): void {
    const key = keyOf(one.at);
    followed.set(key, (followed.get(key) ?? new Set<FollowedTask>()).add(one));
    timer ??= setInterval(moveOn, lookMs).unref();
  }

  function release(one: FollowedTask): void {
    const key = keyOf(one.at);
    const some = followed.get(key);
    some?.delete(one);
    if (some?.size === 0) followed.delete(key);
    one.watch.release();
    if (followed.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  function moveOn(): void {
    for (const one of all()) {
      const at = follower(one.address);
      if (at.instance === one.at.instance) continue;
      release(one);
      one.at = at;
      one.watch = tasks.watch(at);
      add(one);
      one.onChanged();
    }
  }

  return {
    follow(address, onChanged) {
      const at = follower(address);
      const one: FollowedTask = { address, at, watch: tasks.watch(at), onChanged };
      add(one);
      return one;
    },
    release,
  };
}

function keyOf({ server, instance, task }: WatchedTask): string {
  return JSON.stringify([server, instance, task]);
}
