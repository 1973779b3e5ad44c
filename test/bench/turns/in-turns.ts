import { turnOrder } from '../statistics.ts';
import { attempt, type Context } from '../suites/suite.ts';
import type { Lane, Measured } from './lane.ts';
import { allowance } from './repeats.ts';
import { measureWindow } from './window.ts';

/**
 * Measures short windows of the lanes in turn, so that those of one turn saw the same machine. A lane that fails is left out from there
 * on. Returns the windows that count of each lane, at most as many as there are turns.
 */
export async function inTurns(
  context: Context,
  lanes: readonly Lane[],
  turns: number,
): Promise<ReadonlyMap<Lane, readonly Measured[]>> {
  const measured = new Map<Lane, Measured[]>(lanes.map((lane) => [lane, []]));
  const failed = new Set<Lane>();
  const step = allowance(lanes.length * turns);
  for (let turn = 0; turn < turns; turn++) {
    const name = `${context.round + 1}.${turn + 1}`;
    for (const lane of turnOrder(lanes, context.round * turns + turn)) {
      if (failed.has(lane)) continue;
      const others = lanes.filter(({ target }) => target !== lane.target).flatMap(({ target }) => target.processes);
      const once = () => measureWindow(context, lane, others, name);
      const done = await attempt(context, `${lane.name}, ${lane.target.name}`, async () => {
        const window = await context.repeats.leastDisturbed(once, step);
        if (window.outcome.answered > 0) measured.get(lane)?.push(window);
        else context.fault(`${lane.name}, ${lane.target.name}: no answer at all`);
      });
      if (!done) failed.add(lane);
    }
  }
  return measured;
}
