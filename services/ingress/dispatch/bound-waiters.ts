/** Calls that only one worker process can take, and that found it full: they wait for its word, but not for ever. */
export interface BoundWaiters {
  /** Resolves when the process keeps a slot for this agent, or after so many milliseconds. */
  wait(instance: string, agent: string, ms: number): Promise<void>;
  /** The process keeps a slot for this agent: the call that waits longest goes on. False when there is none. */
  wake(instance: string, agent: string): boolean;
  count(instance: string, agent: string): number;
}

export function createBoundWaiters(): BoundWaiters {
  const waiters = new Map<string, Set<() => void>>();
  const nameOf = (instance: string, agent: string) => `${instance} ${agent}`;

  return {
    wait(instance, agent, ms) {
      const name = nameOf(instance, agent);
      return new Promise((resolve) => {
        const line = waiters.get(name) ?? new Set();
        waiters.set(name, line);
        const goOn = () => {
          clearTimeout(timer);
          line.delete(goOn);
          if (line.size === 0) waiters.delete(name);
          resolve();
        };
        const timer = setTimeout(goOn, ms);
        line.add(goOn);
      });
    },
    wake(instance, agent) {
      const [first] = waiters.get(nameOf(instance, agent)) ?? [];
      first?.();
      return first !== undefined;
    },
    count: (instance, agent) => waiters.get(nameOf(instance, agent))?.size ?? 0,
  };
}
