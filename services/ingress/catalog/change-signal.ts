/** Tells listeners that something changed, many changes at once. */
export interface ChangeSignal {
  notify(): void;
  /** Returns the unsubscribe function. */
  listen(listener: () => void): () => void;
  close(): void;
}

/** `delayMs` after the first change of a burst every listener is called once. */
export function createChangeSignal(delayMs = 50): ChangeSignal {
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  return {
    notify() {
      timer ??= setTimeout(() => {
        timer = undefined;
        for (const listener of [...listeners]) listener();
      }, delayMs).unref();
    },
    listen(listener) {
      // The same function may listen twice.
      const own = () => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
    close() {
      clearTimeout(timer);
      timer = undefined;
      listeners.clear();
    },
  };
}
