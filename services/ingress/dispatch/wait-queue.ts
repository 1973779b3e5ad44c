/**
 * Calls of one server that wait for a slot, with fair turns: each agent has a line of its own, and the next turn is that of the agent
 * with the fewest calls on their way; among equals the lines take turns. So an agent with a thousand waiting calls, or with long
 * ones, delays another one's single call by one turn.
 */
export interface WaitQueue<T> {
  readonly size: number;
  /** False when neither this agent nor a more demanding one can make room. */
  push(agent: string, item: T): boolean;
  /** At the head of its agent's line again, and that line is next among its equals: it had its turn but found no slot. */
  putBack(agent: string, item: T): void;
  /** `may`: whose turn it can be; absent: anybody's. */
  next(may?: (agent: string) => boolean): T | undefined;
  peek(may?: (agent: string) => boolean): T | undefined;
  /** The first of this agent's line, whoever's turn it is. */
  nextOf(agent: string): T | undefined;
  waitingOf(agent: string): number;
  remove(agent: string, item: T): boolean;
}

export interface WaitQueueOptions<T> {
  /** Items in all. */
  readonly capacity: number;
  /** Items of one agent. */
  readonly perAgent: number;
  /** Calls of an agent that are on their way now. */
  inFlight(agent: string): number;
  /** The queue was full: the last item of the longest line made room for an agent with fewer, and is out. */
  onPushedOut(item: T): void;
}

export function createWaitQueue<T>({ capacity, perAgent, inFlight, onPushedOut }: WaitQueueOptions<T>): WaitQueue<T> {
  const lines = new Map<string, T[]>();
  let size = 0;

  /** Makes room for one item of `agent` where somebody has more than it would have. */
  function pushOut(agent: string): boolean {
    let longest: T[] | undefined;
    for (const line of lines.values()) if (longest === undefined || line.length > longest.length) longest = line;
    if (longest === undefined || longest.length <= (lines.get(agent)?.length ?? 0) + 1) return false;
    const item = longest.pop();
    size -= 1;
    if (item !== undefined) onPushedOut(item);
    return true;
  }

  function nextAgent(may: ((agent: string) => boolean) | undefined): string | undefined {
    // One line is the usual case, and an agent with nothing on its way cannot be beaten.
    let chosen: string | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const agent of lines.keys()) {
      if (may?.(agent) === false) continue;
      const calls = lines.size === 1 ? 0 : inFlight(agent);
      if (calls >= fewest) continue;
      chosen = agent;
      fewest = calls;
      if (calls === 0) break;
    }
    return chosen;
  }

  function nextOf(agent: string): T | undefined {
    const line = lines.get(agent);
    if (line === undefined) return undefined;
    const item = line.shift();
    // A Map keeps insertion order: going to its end is waiting for the next turn.
    lines.delete(agent);
    if (line.length > 0) lines.set(agent, line);
    if (item !== undefined) size -= 1;
    return item;
  }

  return {
    get size() {
      return size;
    },
    push(agent, item) {
      const line = lines.get(agent);
      if ((line?.length ?? 0) >= perAgent) return false;
      if (size >= capacity && !pushOut(agent)) return false;
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
    next(may) {
      const agent = nextAgent(may);
      return agent === undefined ? undefined : nextOf(agent);
    },
    peek(may) {
      const agent = nextAgent(may);
      return agent === undefined ? undefined : lines.get(agent)?.[0];
    },
    nextOf,
    waitingOf: (agent) => lines.get(agent)?.length ?? 0,
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
