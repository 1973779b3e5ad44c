import { measure, prime, type Suite } from './suite.ts';

/** A fast server, alone and while 64 calls of another server hang: open loop, 300 calls a second. */
export const hung: Suite = {
  name: 'hung',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const target = await context.start([
      { name: 'fast', tools: 4, concurrency: 64 },
      { name: 'hung', tools: 4, concurrency: 64 },
    ]);
    await prime(context, target, 'fast');
    const window = context.window(5);
    const job = { kind: 'open', agents: 64, perSecond: 300, work: { tool: 'echo' }, window } as const;

    const alone = await measure(context, target, 'fast', job);
    await measure(context, target, 'hung', { kind: 'hold', agents: 64, work: { tool: 'hang' } });
    const beside = await measure(context, target, 'fast', job);
    await measure(context, target, 'hung', { kind: 'release' });

    context.record('alone.p50', alone.latency.p50);
    context.record('alone.p99', alone.latency.p99);
    context.record('beside.p50', beside.latency.p50);
    context.record('beside.p99', beside.latency.p99);
    context.record('beside.ratio', beside.latency.p99 / alone.latency.p99);
    await target.stop();
  },
};
