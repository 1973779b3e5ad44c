/** One subschema as far as its cost goes. Numbers are indexes of other subschemas, as often as each applies. */
export interface CostNode {
  /** Applied to the same value. */
  readonly here: number[];
  /** Of these at most one is applied to a member or an item. */
  readonly either: number[];
  /** All of these are applied to each member or item. */
  readonly each: number[];
  /** Its own comparisons per value. */
  local: number;
  /** Its own patterns per text. */
  patterns: number;
  /** Compares every item of a list with every other. */
  comparesItems: boolean;
}

/** An upper bound of what a schema costs, by which a call is checked here or in the thread. */
export interface Cost {
  /** Comparisons per value inside the arguments. Infinity: it grows with their depth. */
  readonly perValue: number;
  /** Patterns that one text may be matched with. */
  readonly patterns: number;
  readonly comparesItems: boolean;
}

/** Arguments are never nested deeper (see the guard of request bodies). */
const maxDepth = 64;
/** Beyond this the bound says nothing any more. */
const huge = 1e6;

/** Throws RangeError when more than `maxApplied` subschemas apply to one value at once, or a reference leads to itself. */
export function costOf(nodes: readonly CostNode[], maxApplied: number): Cost {
  const order = innermostFirst(nodes);
  if (sums(nodes, order, () => 1).some((applied) => applied > maxApplied)) {
    throw new RangeError(`its references apply more than ${maxApplied} subschemas to one value`);
  }
  return {
    perValue: deepest(nodes, order, ({ local }) => local),
    patterns: deepest(nodes, order, ({ patterns }) => patterns),
    comparesItems: nodes.some(({ comparesItems }) => comparesItems),
  };
}

/** Every node after those that it applies to its own value. */
function innermostFirst(nodes: readonly CostNode[]): number[] {
  const order: number[] = [];
  const state = new Uint8Array(nodes.length);
  // An explicit stack: references make chains as long as there are subschemas.
  for (let start = 0; start < nodes.length; start += 1) {
    const stack = [start];
    while (stack.length > 0) {
      const index = stack.at(-1)!;
      if (state[index] === 0) {
        state[index] = 1;
        for (const to of nodes[index]!.here) {
          if (state[to] === 1) throw new RangeError('it refers to itself without end');
          if (state[to] === 0) stack.push(to);
        }
        continue;
      }
      stack.pop();
      if (state[index] === 1) order.push(index);
      state[index] = 2;
    }
  }
  return order;
}

/** For each node its own figure and those of all that it applies to the same value. */
function sums(
  nodes: readonly CostNode[],
  order: readonly number[],
  own: (node: CostNode, at: number) => number,
): number[] {
  const total = new Array<number>(nodes.length).fill(0);
  for (const index of order) {
    const node = nodes[index]!;
    let sum = own(node, index);
    for (const to of node.here) sum += total[to]!;
    total[index] = Math.min(sum, huge);
  }
  return total;
}

/** The largest sum of a figure over all that can be applied to one value at any depth of the arguments. */
function deepest(nodes: readonly CostNode[], order: readonly number[], figure: (node: CostNode) => number): number {
  let level = sums(nodes, order, figure);
  let largest = level[0] ?? 0;
  for (let depth = 1; depth <= maxDepth; depth += 1) {
    const above = level;
    level = sums(nodes, order, ({ either, each }) => {
      let sum = 0;
      for (const to of either) sum = Math.max(sum, above[to]!);
      for (const to of each) sum += above[to]!;
      return Math.min(sum, huge);
    });
    const top = level[0] ?? 0;
    if (top >= huge) return Number.POSITIVE_INFINITY;
    if (top === 0 && level.every((one) => one === 0)) break;
    largest = Math.max(largest, top);
  }
  return largest;
}
