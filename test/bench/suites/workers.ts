import { inTurns } from '../turns/in-turns.ts';
import { recordThroughput } from '../turns/record.ts';
import { prime, sideBySide } from '../turns/side-by-side.ts';
import type { Suite } from './suite.ts';

const turns = 3;

/**
 * A server that takes 10 ms a call and bears 4 calls per worker, 64 agents: one with one worker and one with two, in turns. So few, that two workers have their
 * 800 calls a second without all of the CPU: it is the slots that are to be doubled.
 */
export const workers: Suite = {
  name: 'workers',
  targets: ['floor', 'toolbus'],
  async run(context) {
    const servers = ['worker1', 'worker2'].map((name) => ({ name, tools: 4, concurrency: 4 }));
    const job = { kind: 'closed', agents: 64, work: { tool: 'sleep', ms: 10 }, window: context.window } as const;
    await sideBySide(
      context,
      servers,
      async (target) => {
        await target.addWorker?.('worker2');
        for (const { name } of servers) await prime(context, target, name);
      },
      async (targets) => {
        context.step('one worker and two');
        const lanes = targets.flatMap((target) => servers.map(({ name }) => ({ target, server: name, name, job })));
        for (const [lane, windows] of await inTurns(context, lanes, context.turns(turns))) {
          recordThroughput(context, lane, windows);
        }
      },
    );
  },
};
