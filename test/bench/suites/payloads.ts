import { inTurns } from '../turns/in-turns.ts';
import { recordLatency } from '../turns/record.ts';
import { prime, sideBySide } from '../turns/side-by-side.ts';
import type { Suite } from './suite.ts';

const sizes = [
  { name: 'result100b', bytes: 100 },
  { name: 'result16k', bytes: 16 * 1024 },
  { name: 'result1m', bytes: 1024 * 1024 },
] as const;
const turns = 2;

/** Results of 100 B, 16 KiB and 1 MiB, one agent. */
export const payloads: Suite = {
  name: 'payloads',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const servers = [{ name: 'fast', tools: 4, concurrency: 64 }];
    await sideBySide(
      context,
      servers,
      (target) => prime(context, target, 'fast'),
      async (targets) => {
        for (const { name, bytes } of sizes) {
          context.step(name);
          const job = { kind: 'closed', agents: 1, work: { tool: 'blob', bytes }, window: context.window } as const;
          const lanes = targets.map((target) => ({ target, server: 'fast', name, job }));
          for (const [lane, windows] of await inTurns(context, lanes, context.turns(turns))) {
            recordLatency(context, lane, windows);
          }
        }
      },
    );
  },
};
