import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../targets/target.ts';
import { prime, sideBySide } from '../turns/side-by-side.ts';
import type { Usage } from '../usage.ts';
import { attempt, type Context, order, type Suite } from './suite.ts';

const count = 1_000;

/** What 1,000 initialized agents with an open connection each add to the memory of the gateway's processes. */
export const sessions: Suite = {
  name: 'sessions',
  targets: ['floor', 'toolbus'],
  async run(context) {
    const { usage } = context;
    if (usage === undefined) return;
    const servers = [{ name: 'fast', tools: 4, concurrency: 64 }];
    await sideBySide(
      context,
      servers,
      (target) => prime(context, target, 'fast'),
      async (targets) => {
        for (const target of targets) {
          context.step(`${count} sessions, ${target.name}`);
          await attempt(context, target.name, () => openSessions(context, usage, target));
        }
      },
    );
  },
};

/** Memory does not depend on what else the machine does: one window says it. */
async function openSessions(context: Context, usage: Usage, target: Target): Promise<void> {
  await order(context, target, 'fast', { kind: 'release' });
  await sleep(1_000);
  const before = memoryOf(target, usage);
  await order(context, target, 'fast', { kind: 'connect', agents: count });
  await sleep(1_000);
  context.record(target.name, 'sessions.mib', `${context.round + 1}`, memoryOf(target, usage) - before);
  await order(context, target, 'fast', { kind: 'release' });
}

function memoryOf(target: Target, usage: Usage): number {
  return target.processes.reduce((sum, each) => sum + usage.rssMiB(each.pid), 0);
}
