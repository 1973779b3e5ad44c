import { inTurns } from '../turns/in-turns.ts';
import { recordCost, recordLatency, recordThroughput } from '../turns/record.ts';
import { prime, sideBySide } from '../turns/side-by-side.ts';
import type { Suite } from './suite.ts';

/** Agents calling at once, and in how many turns. */
const steps = [
  { agents: 1, turns: 4 },
  { agents: 16, turns: 2 },
  { agents: 64, turns: 4 },
  { agents: 256, turns: 2 },
] as const;

/** What fsync costs shows where records share messages; alone, it is the latency of the disk. */
const syncedAgents = 64;

/** Latency, throughput, CPU and memory of 100-byte calls by 1, 16, 64 and 256 agents. */
export const calls: Suite = {
  name: 'calls',
  targets: ['direct', 'floor', 'toolbus', 'synced', 'unaudited'],
  async run(context) {
    const servers = [{ name: 'fast', tools: 251, concurrency: 512 }];
    const primed = (target: Parameters<typeof prime>[1]) => prime(context, target, 'fast');
    await sideBySide(context, servers, primed, async (targets) => {
      for (const { agents, turns } of steps) {
        context.step(`${agents} agent${agents === 1 ? '' : 's'}`);
        const job = { kind: 'closed', agents, work: { tool: 'echo' }, window: context.window } as const;
        const lanes = targets
          .filter(({ name }) => name !== 'synced' || agents === syncedAgents)
          .map((target) => ({ target, server: 'fast', name: `c${agents}`, job }));
        for (const [lane, windows] of await inTurns(context, lanes, context.turns(turns))) {
          recordLatency(context, lane, windows);
          recordThroughput(context, lane, windows);
          recordCost(context, lane, windows);
        }
      }
    });
  },
};
