/**
 * Calls of one server that wait for a slot, with fair turns: each agent has a line of its own, and the lines take turns, so an agent
 * with a thousand waiting calls delays another one's single call by one turn.
 */
export interface WaitQueue<T> {
  readonly size: number;
  /** False when the queue is full. */
  push(agent: string, item: T): boolean;
  /** At the head of its agent's line again, and that line is next: it had its turn but found no slot. */
  putBack(agent: string, item: T): void;
  next(): T | undefined;
  remove(agent: string, item: T): boolean;
}

export function createWaitQueue<T>(capacity: number): WaitQueue<T> {
  const lines = new Map<string, T[]>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    push(agent, item) {
      if (size >= capacity) return false;
      const line = lines.get(agent);
      if (line === undefined) lines.set(agent, [item]);
      else line.push(item);
      size += 1;
      return true;
    },
    putBack(agent, item) {
      const line = [item, ...(lines.get(agent) ?? [])];
      const others = [...lines].filter(([name]) => name !== agent);
      lines.clear();
      lines.set(agent, line);
      for (const [name, other] of others) lines.set(name, other);
      size += 1;
    },
    next() {
      const first = lines.entries().next();
      if (first.done === true) return undefined;
      const [agent, line] = first.value;
      const item = line.shift();
      // A Map keeps insertion order: going to its end is waiting for the next turn.
      lines.delete(agent);
      if (line.length > 0) lines.set(agent, line);
      if (item !== undefined) size -= 1;
      return item;
    },
    remove(agent, item) {
      const line = lines.get(agent);
      const at = line?.indexOf(item) ?? -1;
      if (line === undefined || at < 0) return false;
      line.splice(at, 1);
      if (line.length === 0) lines.delete(agent);
      size -= 1;
      return true;
    },
  };
}
