import { measure, prime, type Suite } from './suite.ts';

const sizes = [
  { name: 'result100b', bytes: 100 },
  { name: 'result16k', bytes: 16 * 1024 },
  { name: 'result1m', bytes: 1024 * 1024 },
] as const;

/** Results of 100 B, 16 KiB and 1 MiB, one agent. */
export const payloads: Suite = {
  name: 'payloads',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const target = await context.start([{ name: 'fast', tools: 4, concurrency: 64 }]);
    await prime(context, target, 'fast');
    for (const { name, bytes } of sizes) {
      const work = { tool: 'blob', bytes } as const;
      const job = { kind: 'closed', agents: 1, work, window: context.window(3) } as const;
      const { latency } = await measure(context, target, 'fast', job);
      context.record(`${name}.p50`, latency.p50);
      context.record(`${name}.p99`, latency.p99);
    }
    await target.stop();
  },
};
