import type { Target } from '../targets/target.ts';
import { inTurns } from '../turns/in-turns.ts';
import type { Lane } from '../turns/lane.ts';
import { recordLatency } from '../turns/record.ts';
import { prime, sideBySide } from '../turns/side-by-side.ts';
import { type Context, order, type Suite } from './suite.ts';

const turns = 3;
const heldCalls = 64;

/** For so long after the window the held calls are not answered, so that none is in it, however slow the machine is. */
const heldLongerMs = 1_500;

/**
 * A fast server, alone and while 64 calls of another server hang: open loop, 300 calls a second. They hang as long as the window, so
 * that alone and beside can take turns at the same target.
 */
export const hung: Suite = {
  name: 'hung',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const servers = [
      { name: 'fast', tools: 4, concurrency: 64 },
      { name: 'hung', tools: 4, concurrency: heldCalls },
    ];
    await sideBySide(
      context,
      servers,
      (target) => prime(context, target, 'fast'),
      async (targets) => {
        context.step(`${heldCalls} hung calls`);
        const lanes = targets.flatMap((target) => [alone(context, target), beside(context, target)]);
        for (const [lane, windows] of await inTurns(context, lanes, context.turns(turns))) {
          recordLatency(context, lane, windows);
        }
      },
    );
  },
};

/** Longer than other windows: at 300 calls a second the p99 of few samples would be the slowest of them. */
function alone({ window: short }: Context, target: Target): Lane {
  const window = { ...short, measureMs: 1.5 * short.measureMs };
  const job = { kind: 'open', agents: 64, perSecond: 300, work: { tool: 'echo' }, window } as const;
  return { target, server: 'fast', name: 'alone', job };
}

function beside(context: Context, target: Target): Lane {
  const lane = alone(context, target);
  const { warmupMs, measureMs } = lane.job.window;
  const work = { tool: 'sleep', ms: warmupMs + measureMs + heldLongerMs } as const;
  return {
    ...lane,
    name: 'beside',
    before: async () => void (await order(context, target, 'hung', { kind: 'hold', agents: heldCalls, work })),
    after: async () => void (await order(context, target, 'hung', { kind: 'settle' })),
  };
}
