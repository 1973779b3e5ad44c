import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../targets/target.ts';
import type { Usage } from '../usage.ts';
import { measure, prime, type Suite } from './suite.ts';

const count = 1_000;

/** What 1,000 initialized agents with an open connection each add to the memory of the gateway's processes. */
export const sessions: Suite = {
  name: 'sessions',
  targets: ['floor', 'toolbus'],
  async run(context) {
    const { usage } = context;
    if (usage === undefined) return;
    const target = await context.start([{ name: 'fast', tools: 4, concurrency: 64 }]);
    await prime(context, target, 'fast');
    await sleep(1_000);
    const before = memoryOf(target, usage);
    await measure(context, target, 'fast', { kind: 'sessions', agents: count });
    await sleep(1_000);
    context.record('sessions.mib', memoryOf(target, usage) - before);
    await measure(context, target, 'fast', { kind: 'release' });
    await target.stop();
  },
};

function memoryOf(target: Target, usage: Usage): number {
  return target.processes.reduce((sum, each) => sum + usage.rssMiB(each.pid), 0);
}
