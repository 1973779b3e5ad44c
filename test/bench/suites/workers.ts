import { measure, prime, type Suite } from './suite.ts';

/** One worker, then two, of a server that takes 10 ms a call and bears 16 calls per worker; 64 agents. */
export const workers: Suite = {
  name: 'workers',
  targets: ['floor', 'toolbus'],
  async run(context) {
    const target = await context.start([{ name: 'slow', tools: 4, concurrency: 16 }]);
    await prime(context, target, 'slow');
    const work = { tool: 'sleep', ms: 10 } as const;
    const job = { kind: 'closed', agents: 64, work, window: context.window(4) } as const;

    const one = await measure(context, target, 'slow', job);
    await target.addWorker?.('slow');
    await prime(context, target, 'slow');
    const two = await measure(context, target, 'slow', job);

    context.record('worker1.rps', one.calls / one.seconds);
    context.record('worker2.rps', two.calls / two.seconds);
    context.record('worker2.ratio', two.calls / two.seconds / (one.calls / one.seconds));
    await target.stop();
  },
};
